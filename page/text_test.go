package page

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Words are counted alike however the text is cut into pieces between two characters, and as a plain reading of the rule says.
func TestWordCountEqualsRule(t *testing.T) {
	pieces := []string{" ", "a", "Z", "0", "9", "-", "@", "[", "`", "{", "/", ":", "\n", "\x00", "\x1f", "\x7f", "!", "~", "word ", "x, ", "é", "\u00a0", "\u3000", "„", "\u0085", "我", "\xff", "\xe2", "longer words and more of them, "}
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		from := pieces[:2+r.IntN(len(pieces)-1)]
		var w wordReader
		var text, piece strings.Builder
		for range r.IntN(200) {
			piece.WriteString(from[r.IntN(len(from))])
			last, _ := utf8.DecodeLastRuneInString(piece.String())
			if r.IntN(20) == 0 && last != utf8.RuneError {
				w.add([]byte(piece.String()))
				text.WriteString(piece.String())
				piece.Reset()
			}
		}
		w.add([]byte(piece.String()))
		text.WriteString(piece.String())

		want := 0
		blank := func(r rune) bool { return unicode.IsSpace(r) || r <= ' ' || r == 0x7f }
		for _, word := range strings.FieldsFunc(text.String(), blank) {
			if strings.ContainsFunc(word, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
				want++
			}
		}
		if w.n != want {
			t.Fatalf("seed %d: %d words, want %d in %q", seed, w.n, want, text.String())
		}
	}
}

func BenchmarkWordCount(b *testing.B) {
	for name, text := range map[string]string{
		"ASCII":    "The committee met on Tuesday to talk about the plan, which had been put off twice; no decision was made. ",
		"Cyrillic": "Комитет собрался во вторник, чтобы обсудить план, который дважды откладывался; решение не принято. ",
		"long":     strings.Repeat("The committee met on Tuesday to talk about the plan, which had been put off twice; no decision was made. ", 5),
		"short":    "no decision was made ",
	} {
		b.Run(name, func(b *testing.B) {
			text := []byte(text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			var w wordReader
			w.reset()
			for b.Loop() {
				w.add(text)
				w.space()
			}
		})
	}
}
