package sandbox

import (
	"slices"
	"strings"
)

// idLetters are the digits of Salesforce's ids, in the order in which ids sort.
const idLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Lengths of an id without and with the characters that tell which of the others are capitals.
const (
	shortID = 15
	longID  = 18
)

// recordID returns the id of the n-th record: the prefix of six characters and n, so that ids sort as numbers do.
func recordID(prefix string, n int64) string {
	var id [longID]byte
	copy(id[:], prefix)
	for i := shortID - 1; i >= len(prefix); i-- {
		id[i] = idLetters[n%62]
		n /= 62
	}
	return string(appendCapitals(id[:shortID]))
}

// appendCapitals makes 18 characters of 15.
func appendCapitals(id []byte) []byte {
	const check = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	var marks [3]byte
	for part := range marks {
		capitals := 0
		for bit, c := range id[part*5 : part*5+5] {
			if c >= 'A' && c <= 'Z' {
				capitals |= 1 << bit
			}
		}
		marks[part] = check[capitals]
	}
	return append(id, marks[:]...)
}

// fullID returns the 18 characters of an id that is written with 15 or 18, false for what is no id.
func fullID(id string) (string, bool) {
	if len(id) != shortID && len(id) != longID {
		return "", false
	}
	for i := range len(id) {
		if strings.IndexByte(idLetters, id[i]) < 0 {
			return "", false
		}
	}
	full := string(appendCapitals(slices.Clone([]byte(id[:shortID]))))
	return full, len(id) == shortID || strings.EqualFold(full[shortID:], id[shortID:])
}

// numberOf is the way back from recordID.
func numberOf(prefix, id string) (int64, bool) {
	full, ok := fullID(id)
	if !ok || !strings.HasPrefix(full, prefix) {
		return 0, false
	}
	n := int64(0)
	for i := len(prefix); i < shortID; i++ {
		n = n*62 + int64(strings.IndexByte(idLetters, full[i]))
	}
	return n, true
}
