package warccheck

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
)

// file packs records, each a member of its own, with the lengths and digests
// of their blocks where they say LENGTH and DIGEST.
func file(records ...string) []byte {
	var b bytes.Buffer
	for _, r := range records {
		head, block, _ := strings.Cut(strings.ReplaceAll(r, "\n", "\r\n"), "\r\n\r\n")
		head = strings.NewReplacer("LENGTH", fmt.Sprint(len(block)), "DIGEST", digest([]byte(block))).Replace(head)
		zip := gzip.NewWriter(&b)
		fmt.Fprintf(zip, "%s\r\n\r\n%s\r\n\r\n", head, block)
		zip.Close()
	}
	return b.Bytes()
}

const (
	info = "WARC/1.1\nWARC-Type: warcinfo\nWARC-Record-ID: <urn:uuid:d7ae5c10-e6b3-4d27-967d-34780c58ba39>\nWARC-Date: 2016-09-19T17:20:14Z\n" +
		"Content-Type: application/warc-fields\nWARC-Block-Digest: DIGEST\nContent-Length: LENGTH\n\nsoftware: x\n"
	response = "WARC/1.1\nWARC-Type: response\nWARC-Target-URI: http://h/\nWARC-Date: 2016-09-19T17:20:24.1Z\n" +
		"WARC-Record-ID: <urn:uuid:92283950-ef2f-4d72-b224-f54c6ec90bb0>\nWARC-Payload-Digest: sha1:VL2MMHO4YXUKFWV63YHTWSBM3GXKSQ2N\n" +
		"WARC-Block-Digest: DIGEST\nContent-Type: application/http;msgtype=response\nContent-Length: LENGTH\n\n" +
		"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"
	request = "WARC/1.1\nWARC-Type: request\nWARC-Target-URI: http://h/\nWARC-Date: 2016-09-19T17:20:24.1Z\n" +
		"WARC-Record-ID: <urn:uuid:4885803b-eebd-4b27-a090-144450c11594>\nWARC-Concurrent-To: <urn:uuid:92283950-ef2f-4d72-b224-f54c6ec90bb0>\n" +
		"WARC-Block-Digest: DIGEST\nContent-Type: application/http;msgtype=request\nContent-Length: LENGTH\n\nGET / HTTP/1.1\nHost: h\n\n"
	revisit = "WARC/1.1\nWARC-Type: revisit\nWARC-Target-URI: http://h/2\nWARC-Date: 2016-09-20T17:20:24Z\n" +
		"WARC-Record-ID: <urn:uuid:16da6da0-bcdc-49c3-927e-57494593bbbb>\nWARC-Profile: http://netpreserve.org/warc/1.1/revisit/identical-payload-digest\n" +
		"WARC-Payload-Digest: sha1:VL2MMHO4YXUKFWV63YHTWSBM3GXKSQ2N\nWARC-Refers-To-Target-URI: http://h/\nWARC-Refers-To-Date: 2016-09-19T17:20:24.1Z\n" +
		"WARC-Truncated: length\nWARC-Block-Digest: DIGEST\nContent-Type: application/http;msgtype=response\nContent-Length: LENGTH\n\n" +
		"HTTP/1.1 200 OK\nContent-Length: 5\n\n"
)

func TestValidFile(t *testing.T) {
	rep, err := Validate(bytes.NewReader(file(info, response, request, revisit)))
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Records) != 4 || string(rep.Payload("http://h/2")) != "hello" {
		t.Errorf("records %v, payload %q", rep.Types, rep.Payload("http://h/2"))
	}
}

func TestWhatTheStandardForbidsIsSeen(t *testing.T) {
	all := strings.Join([]string{info, response, request, revisit}, "\x00")
	for _, c := range []struct{ name, old, new, want string }{
		{"version", "WARC/1.1\nWARC-Type: request", "WARC/1.0\nWARC-Type: request", "version line"},
		{"type", "WARC-Type: request", "WARC-Type: question", "type is not known"},
		{"no id", "WARC-Record-ID: <urn:uuid:4885803b-eebd-4b27-a090-144450c11594>\n", "", "WARC-Record-ID"},
		{"id without brackets", "WARC-Record-ID: <urn:uuid:4885803b-eebd-4b27-a090-144450c11594>", "WARC-Record-ID: urn:uuid:4885803b-eebd-4b27-a090-144450c11594", "WARC-Record-ID"},
		{"same id", "4885803b-eebd-4b27-a090-144450c11594", "92283950-ef2f-4d72-b224-f54c6ec90bb0", "stands twice"},
		{"no date", "WARC-Date: 2016-09-20T17:20:24Z\n", "", "WARC-Date"},
		{"date not in UTC", "2016-09-20T17:20:24Z", "2016-09-20T17:20:24+02:00", "WARC-Date"},
		{"address in brackets", "WARC-Target-URI: http://h/2", "WARC-Target-URI: <http://h/2>", "WARC-Target-URI"},
		{"address with a space", "WARC-Target-URI: http://h/2", "WARC-Target-URI: http://h/ 2", "WARC-Target-URI"},
		{"address of warcinfo", "WARC-Type: warcinfo\n", "WARC-Type: warcinfo\nWARC-Target-URI: http://h/\n", "must not stand here"},
		{"repeated field", "WARC-Truncated: length\n", "WARC-Truncated: length\nWARC-Truncated: length\n", "repeated"},
		{"length too short", "Content-Length: LENGTH\n\nGET", "Content-Length: 3\n\nGET", "Content-Length"},
		{"block digest", "WARC-Block-Digest: DIGEST\nContent-Type: application/http;msgtype=request", "WARC-Block-Digest: sha1:VL2MMHO4YXUKFWV63YHTWSBM3GXKSQ2N\nContent-Type: application/http;msgtype=request", "WARC-Block-Digest"},
		{"payload digest", "hello", "hallo", "WARC-Payload-Digest"},
		{"length of the body", "Content-Length: 5\n\nhello", "Content-Length: 6\n\nhello", "its body has"},
		{"coding of the body", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "HTTP/1.1 200 OK\nContent-Encoding: br\nContent-Length: 5\n\nhello", "does not fit"},
		{"concurrent to nobody", "WARC-Concurrent-To: <urn:uuid:9", "WARC-Concurrent-To: <urn:uuid:8", "concurrent to"},
		{"no profile", "WARC-Profile: http://netpreserve.org/warc/1.1/revisit/identical-payload-digest\n", "", "WARC-Profile"},
		{"profile of a response", "WARC-Type: response\n", "WARC-Type: response\nWARC-Profile: http://x/\n", "must not stand here"},
		{"revisit not truncated", "WARC-Truncated: length\n", "", "truncated"},
		{"revisit of another body", "WARC-Refers-To-Date: 2016-09-19T17:20:24.1Z", "WARC-Refers-To-Date: 2016-09-19T17:20:24.2Z", "not there before it"},
		{"address of an IP", "WARC-Truncated: length\n", "WARC-Truncated: length\nWARC-IP-Address: h\n", "WARC-IP-Address"},
		{"no Content-Type", "Content-Type: application/http;msgtype=request\n", "", "Content-Type"},
		{"no warcinfo first", info + "\x00", "", "no warcinfo"},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := strings.Replace(all, c.old, c.new, 1)
			if changed == all {
				t.Fatal("nothing to change")
			}
			_, err := Validate(bytes.NewReader(file(strings.Split(changed, "\x00")...)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one of %s", err, c.want)
			}
		})
	}
}

func TestCutFileIsSeen(t *testing.T) {
	whole := file(info, response)
	for n := len(file(info)) + 1; n < len(whole); n++ {
		if rep, err := Validate(bytes.NewReader(whole[:n])); err == nil || len(rep.Records) != 1 {
			t.Errorf("cut to %d bytes: error %v, %d records", n, err, len(rep.Records))
		}
	}
}

func TestTwoRecordsInAMemberAreSeen(t *testing.T) {
	if _, err := Validate(bytes.NewReader(file(info, response+"\n\n"+request))); err == nil {
		t.Error("no error")
	}
}
