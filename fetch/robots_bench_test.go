package fetch

import (
	"fmt"
	"strings"
	"testing"
)

func benchmarkFile(wildcards int) []byte {
	var b strings.Builder
	b.WriteString("User-agent: *\nCrawl-delay: 1\n")
	for i := range 50 {
		if i < wildcards {
			fmt.Fprintf(&b, "Disallow: /*/section-%d/*.html$\n", i)
		} else {
			fmt.Fprintf(&b, "Disallow: /section-%d/\n", i)
		}
	}
	return []byte(b.String())
}

func BenchmarkRobotsParse(b *testing.B) {
	for _, wildcards := range []int{0, 5, 50} {
		b.Run(fmt.Sprintf("50 rules %d wildcards", wildcards), func(b *testing.B) {
			file := benchmarkFile(wildcards)
			b.ReportAllocs()
			for b.Loop() {
				ParseRobots(file, "pawl")
			}
		})
	}
}

// As large as a file can be: 500 KiB of short rules, plain or with wildcards.
func BenchmarkRobotsParseLargest(b *testing.B) {
	for _, c := range []struct{ name, line string }{
		{"plain", "Disallow: /section/%d/\n"},
		{"wildcards", "Disallow: /*/section/%d/*.html$\n"},
		{"for another", "#\nDisallow: /%d\nUser-agent: x\n"},
		{"to encode", "Disallow: /é\"é\"é\"é\"%d\n"},
		{"sitemaps", "Sitemap: https://a.example/%d\n"},
		{"empty lines", "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"},
	} {
		file := []byte("User-agent: *\n")
		for i := 0; len(file) < MaxRobots; i++ {
			line := c.line
			if strings.Contains(line, "%") {
				line = fmt.Sprintf(line, i)
			}
			file = append(file, line...)
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(MaxRobots)
			for b.Loop() {
				ParseRobots(file, "pawl")
			}
		})
	}
}

// Prefixes have no bound of their own: there cannot be more than the file holds.
func BenchmarkRobotsAllowedLargest(b *testing.B) {
	file := []byte("User-agent: *\n")
	for i := 0; len(file) < MaxRobots; i++ {
		file = fmt.Appendf(file, "Allow:/%d\n", i)
	}
	r := ParseRobots(file, "pawl")
	path := "/" + strings.Repeat("a", 4095)
	b.Run("Allowed", func(b *testing.B) {
		for b.Loop() {
			r.Allowed(path)
		}
	})
	b.Run("Why", func(b *testing.B) {
		for b.Loop() {
			r.Why(path)
		}
	})
}

func BenchmarkRobotsAllowed(b *testing.B) {
	for _, wildcards := range []int{0, 5, 50} {
		r := ParseRobots(benchmarkFile(wildcards), "pawl")
		b.Run(fmt.Sprintf("50 rules %d wildcards", wildcards), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Allowed("/articles/2026/11/a-page-of-usual-length.html?page=2")
			}
		})
	}
}

// The worst that a file and a path can ask for, on either side of the limits
// that keep the library's work bounded.
func BenchmarkRobotsHostile(b *testing.B) {
	for _, c := range []struct {
		name  string
		rule  string
		rules int
		path  int // octets
	}{
		{"library/long path", "/*a*a*a*a*a%db", 9, 2000},
		{"library/short path", "/*a*a*a*a*a%db", 265, 60},
		{"library/long pieces", "/*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%db", 4, 2000},
		{"plain/short path", "/*a*a*a*a*a%db", 10_000, 80},
		{"plain/long path", "/*a*a*a*a*a%db", 10_000, 2000},
		{"plain/long pieces", "/*aaaaaaaaaaaaaaaaaaaaa%db", 10_000, 2000},
		{"plain/most rules", "*a%d", 29_000, 4096},
		{"plain/most rules, short path", "*a%d", 29_000, 80},
		{"plain/most pieces", "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a%db", 6000, 4096},
		{"plain/longest pieces", "*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%db", 4300, 4096},
	} {
		file := []byte("User-agent: *\n")
		for i := range c.rules {
			file = fmt.Appendf(file, "Disallow: "+c.rule+"\n", i)
		}
		r := ParseRobots(file, "pawl")
		path := "/" + strings.Repeat("a", c.path-1)
		library := r.group != nil && r.cost*len(path) <= maxMatchWork
		if library != strings.HasPrefix(c.name, "library") {
			b.Fatalf("%s: library %v, expressions %d, work %d", c.name, library, r.cost, r.cost*len(path))
		}
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				r.Allowed(path)
			}
		})
	}
}
