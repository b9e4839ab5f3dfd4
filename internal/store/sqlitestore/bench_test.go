package sqlitestore

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
)

// BenchmarkOpenAndRead is what a command that reads one record pays for its store.
func BenchmarkOpenAndRead(b *testing.B) {
	path := filepath.Join(b.TempDir(), "ucf.db")
	if err := openAndWrite(path, 1); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := Open(context.Background(), path, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Token(context.Background(), acme, "tok_1"); err != nil {
			b.Fatal(err)
		}
		_ = s.Close()
	}
}

func BenchmarkFirstOpen(b *testing.B) {
	dir := b.TempDir()
	n := 0
	for b.Loop() {
		n++
		if err := openAndWrite(filepath.Join(dir, fmt.Sprint(n), "ucf.db"), n); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	s, err := Open(context.Background(), filepath.Join(b.TempDir(), "ucf.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	n := 0
	for b.Loop() {
		n++
		if err := s.CreateToken(context.Background(), newToken(fmt.Sprint("tok_", n))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	path := filepath.Join(b.TempDir(), "ucf.db")
	if err := openAndWrite(path, 1); err != nil {
		b.Fatal(err)
	}
	s, err := Open(context.Background(), path, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for b.Loop() {
		if _, err := s.Token(context.Background(), acme, "tok_1"); err != nil {
			b.Fatal(err)
		}
	}
}
