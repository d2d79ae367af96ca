package storage

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tinylib/msgp/msgp"
)

// Writing is generated and reading is not: a field that is written has to be
// read.
func TestRecordReadsEveryField(t *testing.T) {
	full := Record{}
	fields := reflect.TypeFor[Record]()
	for i := range fields.NumField() {
		one := Record{}
		for _, r := range []*Record{&one, &full} {
			switch f := reflect.ValueOf(r).Elem().Field(i); f.Kind() {
			case reflect.String:
				f.SetString(strings.Repeat("x", i+1))
			case reflect.Bool:
				f.SetBool(true)
			case reflect.Int64:
				f.SetInt(-1 << (i + 30))
			case reflect.Uint8, reflect.Uint16, reflect.Uint32:
				f.SetUint(1<<f.Type().Bits() - 1 - uint64(i))
			case reflect.Uint64:
				f.SetUint(1<<63 + uint64(i))
			case reflect.Slice:
				f.Set(reflect.ValueOf([]Field{{"one", []string{"1"}}, {"none", nil}, {"two", []string{"", strings.Repeat("x", 1<<17)}}}))
			default:
				t.Fatalf("a field of kind %v", f.Kind())
			}
		}
		checkRecord(t, fields.Field(i).Name, one)
	}
	checkRecord(t, "all fields", full)
	checkRecord(t, "no field", Record{})
}

func checkRecord(t *testing.T, what string, want Record) {
	t.Helper()
	var got Record
	r := reader{b: want.appendTo(nil)}
	got.decode(&r)
	if r.err != nil {
		t.Errorf("%s: %v", what, r.err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestRecordOfALaterVersion(t *testing.T) {
	b := msgp.AppendMapHeader(nil, 3)
	b = msgp.AppendString(msgp.AppendString(b, "t"), "Title")
	b = msgp.AppendString(b, "new")
	b = msgp.AppendArrayHeader(b, 2)
	b = msgp.AppendInt(msgp.AppendString(b, "anything"), 7)
	b = msgp.AppendUint16(msgp.AppendString(b, "w"), 3)
	var got Record
	r := reader{b: append(appendString(nil, string(b)), "more"...)}
	got.decode(&r)
	if want := (Record{Title: "Title", Worker: 3}); r.err != nil || !cmp.Equal(got, want) || string(r.b) != "more" {
		t.Errorf("got %+v, %v, %q left", got, r.err, r.b)
	}
}

// What a PageDecoder gives depends neither on the event's bytes, which are gone
// when the transaction ends, nor on the pages before.
func TestPageDecoder(t *testing.T) {
	page := func(c string, title int) *Visit {
		url := "https://" + strings.Repeat(c, 20) + ".example/"
		return &Visit{
			URL: url + "page", FoundOn: url + "index", Redirect: url, Canonical: "http://elsewhere.example/" + c, Join: url + "p",
			Attempt: 1, Outcome: Fetched, Status: 200,
			ContentHash: bytes.Repeat([]byte(c), 16), DuplicateOf: url + "same",
			Record: Record{Title: strings.Repeat(c, title), SimHash: 1 << 63, ETag: c, Outlinks: 3},
		}
	}
	var d PageDecoder
	for name, want := range map[string]*Visit{
		"short": page("a", 1), "usual": page("b", 60), "long": page("c", 1<<20), "bare": {URL: "u"}, "other": page("d", 59),
	} {
		for range 2 {
			event := want.appendTo(nil)
			got, err := d.Decode(event)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			clear(event)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if _, err := d.Decode(want.appendTo(nil)[:10]); err == nil {
				t.Errorf("%s: half of it is read", name)
			}
		}
	}
}
