package storage

import (
	"maps"
	"path/filepath"
	"testing"
)

func TestSideValuesAreKeptUntilTheyAreEmpty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.pawl")
	f, err := Create(path, nil)
	must(t, err)
	defer func() { f.Close() }()
	for _, step := range []struct {
		name    string
		changed []SideValue
		want    map[string]string
	}{
		{"no site", nil, map[string]string{}},
		{"two sites", []SideValue{{SideCookies, "a.example", []byte("1")}, {SideCookies, "b.example", []byte("2")}}, map[string]string{"a.example": "1", "b.example": "2"}},
		{"one changes", []SideValue{{SideCookies, "b.example", []byte("3")}}, map[string]string{"a.example": "1", "b.example": "3"}},
		{"one goes", []SideValue{{SideCookies, "a.example", nil}}, map[string]string{"b.example": "3"}},
		{"one goes that was never there", []SideValue{{SideCookies, "c.example", nil}}, map[string]string{"b.example": "3"}},
		{"nothing changes", nil, map[string]string{"b.example": "3"}},
	} {
		var b Batch
		b.Reset(1)
		b.Side = append(step.changed, SideValue{SideTraps, "a.example", []byte("other")})
		must(t, f.Commit(&b))
		must(t, f.Close())
		f, err = Open(path, false)
		must(t, err)
		got := map[string]string{}
		must(t, f.View(func(r *Reader) error {
			return r.EachSide(SideCookies, func(site string, value []byte) error {
				got[site] = string(value)
				return nil
			})
		}))
		if !maps.Equal(got, step.want) {
			t.Errorf("%s: %v, want %v", step.name, got, step.want)
		}
	}
}
