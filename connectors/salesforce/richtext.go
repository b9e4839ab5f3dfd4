package salesforce

import (
	"html"
	"regexp"
	"strings"
)

var (
	// blockEnd are the tags of the feed's HTML that end a line, and itemStart those that begin an item of a list.
	blockEnd  = regexp.MustCompile(`(?i)<br[^<>]*>|</(?:p|div|ul|ol|li|pre|blockquote|h[1-6])\s*>`)
	itemStart = regexp.MustCompile(`(?i)<li[^<>]*>`)
	imageTag  = regexp.MustCompile(`(?i)<img[^<>]*\balt="([^"<>]*)"[^<>]*>`)
	anyTag    = regexp.MustCompile(`<[/!?]?[A-Za-z][^<>]*>`)
	manyLines = regexp.MustCompile(`\n[ \t]*\n(?:[ \t]*\n)+`)
)

// plain returns the text of a post in rich text, which Chatter keeps as a little HTML: paragraphs, lists, emphasis,
// links and images.
func plain(s string) string {
	s = imageTag.ReplaceAllString(s, "$1")
	s = itemStart.ReplaceAllString(s, "- ")
	s = blockEnd.ReplaceAllString(s, "\n")
	s = html.UnescapeString(anyTag.ReplaceAllString(s, ""))
	s = strings.ReplaceAll(s, "\u00a0", " ")
	return strings.TrimSpace(manyLines.ReplaceAllString(s, "\n\n"))
}
