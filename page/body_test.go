package page

import (
	"encoding/hex"
	"testing"
)

func TestMediaType(t *testing.T) {
	for _, test := range []struct{ contentType, want string }{
		{"text/html", "text/html"},
		{" Text/HTML ; charset=utf-8", "text/html"},
		{"text/html,text/plain", "text/html"},
		{"application/xhtml+xml;", "application/xhtml+xml"},
		{"", ""},
		{"html", ""},
		{"text/", ""},
		{"/html", ""},
		{"text / html", ""},
		{";charset=utf-8", ""},
	} {
		if got := MediaType(test.contentType); got != test.want {
			t.Errorf("%q: got %q, want %q", test.contentType, got, test.want)
		}
	}
}

func TestIsHTML(t *testing.T) {
	for _, test := range []struct {
		contentType, body string
		want              bool
	}{
		{"text/html", "", true},
		{"TEXT/HTML; charset=x", "{}", true},
		{"application/xhtml+xml", "", true},
		{"text/plain", "<html>", false},
		{"application/pdf", "<html>", false},
		{"", "<!DOCTYPE html>", true},
		{"", "\uFEFF \n\t<HTML lang=en>", true},
		{"", "<!-- x -->", true},
		{"", "<p>x", true},
		{"", "<br/>", true},
		{"", "<pre>x", false},
		{"", "<?xml version='1.0'?><urlset>", false},
		{"", "<html", false},
		{"", "%PDF-1.4", false},
		{"", "", false},
		{"html", "<a href=x>", true},
		{"*/*", "<a href=x>", true},
		{"application/unknown", "{}", false},
		{"unknown/unknown", "<html>", true},
		{"unknown/unknown", "\x89PNG\r\n\x1a\n<html>", false},
		{"text/html,text/html", "", true},
		{"text/html;", "x", true},
		{"text/html", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", false},
		{"text/html", "\xff\xd8\xff\xe0\x00\x10JFIF", false},
		{"text/html", "GIF89a\x01\x00\x01\x00", false},
		{"text/html", "GIF89a is a format", true},
		{"text/html", "RIFF\x24\x00\x00\x00WEBPVP8 ", false},
		{"text/html", "BM is a maker of cars", true},
		{"text/html", "%PDF-1.7\n%\xe2\xe3", false},
		{"text/html", "\x1f\x8b\x08\x00\x00", false},
		{"text/html", "PK\x03\x04\x14\x00", false},
		{"text/html", "\x00\x00\x00\x18ftypmp42", false},
		{"text/html", "\x00\x00\x00\x00 <html>", true},
		{"text/html", "\xff\xfe<\x00h\x00", true},
		{"text/html", "{\"a\": 1}", true},
		{"text/html", "<?xml version='1.0'?><rss>", true},
		{"application/xhtml+xml", "%PDF-1.7", false},
		{"application/vnd.wap.xhtml+xml", "", true},
		{"text/xml", "<?xml version='1.0'?>\n<!-- x > --><!DOCTYPE html>\n<html xmlns='x'>", true},
		{"application/xml", "<html/>", true},
		{"application/xml", "\uFEFF<html>", true},
		{"application/xml", "<urlset><html>", false},
		{"application/xml", "<htmlx>", false},
		{"application/xml", "<HTML>", false},
		{"application/xml", "html", false},
		{"application/xml", "<!-- ", false},
		{"application/xml", "", false},
		{"application/rss+xml", "<html>", false},
		{"image/svg+xml", "<svg><a href='/x'/></svg>", false},
		{"", "<?xml version='1.0'?><html xmlns='x'>", true},
		{"text/plain; charset=utf-8", "<!doctype html>", false},
		{"application/octet-stream", "<!doctype html>", false},
		{"application/json", "<!doctype html>", false},
		{"image/png", "<!doctype html>", false},
		{"multipart/form-data", "<!doctype html>", false},
	} {
		if got := IsHTML(test.contentType, []byte(test.body)); got != test.want {
			t.Errorf("%q, %q: got %v", test.contentType, test.body, got)
		}
	}
}

// The values are those of xxh128sum.
func TestContentHash(t *testing.T) {
	for body, want := range map[string]string{
		"":    "99aa06d3014798d86001c324468d497f",
		"abc": "06b05ab6733a618578af5f94892f3950",
	} {
		hash := ContentHash([]byte(body))
		if got := hex.EncodeToString(hash[:]); got != want {
			t.Errorf("%q: got %s, want %s", body, got, want)
		}
	}
}

// The numbers are stored in crawl files: a change here breaks those of users.
func TestKindsAreStable(t *testing.T) {
	names := []string{
		"unknown", "seed", "redirect", "sitemap", "a", "area", "frame", "iframe", "refresh", "canonical", "next", "prev",
		"alternate", "link", "header", "form", "img", "media", "script", "stylesheet", "icon", "preload",
		"amphtml", "sitemap_file", "sitemap_file", "sitemap_file", "unknown",
	}
	navigations, assets := "", ""
	for i, want := range names {
		k := Kind(i)
		if k.String() != want {
			t.Errorf("kind %d is %q, want %q", i, k, want)
		}
		if k.Navigation() {
			navigations += " " + k.String()
		}
		if k.Asset() {
			assets += " " + k.String()
		}
	}
	if want := " seed redirect sitemap a area frame iframe refresh canonical next prev sitemap_file sitemap_file sitemap_file"; navigations != want {
		t.Errorf("navigations are%s", navigations)
	}
	if want := " img media script stylesheet icon preload"; assets != want {
		t.Errorf("assets are%s", assets)
	}
}
