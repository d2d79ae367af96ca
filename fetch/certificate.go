package fetch

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
)

// certificateReason puts what the text of crypto/tls says at length, or with
// details that differ from host to host, into few and stable words. Other
// errors stay as they are. Nothing asks whether a certificate was revoked.
func certificateReason(err error) error {
	var authority x509.UnknownAuthorityError
	if errors.As(err, &authority) {
		var verify *tls.CertificateVerificationError
		switch {
		case errors.As(err, &verify) && len(verify.UnverifiedCertificates) > 0 && selfSigned(verify.UnverifiedCertificates[0]):
			return errors.New("certificate is self-signed")
		case strings.Contains(beforeName(authority), "insecure algorithm"):
			return errors.New("certificate signed with an insecure algorithm")
		}
		return err
	}
	text := err.Error()
	for _, known := range []struct{ part, words string }{
		{"server selected unsupported protocol version 302", "server speaks TLS 1.1 and no later version"},
		{"server selected unsupported protocol version 301", "server speaks TLS 1.0 and no later version"},
		{"server selected unsupported protocol version", "server speaks no TLS version from 1.2 on"},
		{"remote error: tls: protocol version not supported", "server speaks no TLS version from 1.2 on"},
		{"remote error: tls: unrecognized name", "server does not know this host name"},
		{"remote error: tls: handshake failure", "server refused the handshake: no cipher in common, perhaps"},
		{"remote error: tls: certificate required", "certificate required"},
	} {
		if strings.Contains(text, known.part) {
			return errors.New(known.words)
		}
	}
	if invalid := (x509.CertificateInvalidError{}); errors.As(err, &invalid) && invalid.Reason != x509.Expired {
		return errors.New(strings.TrimPrefix(invalid.Error(), "x509: "))
	}
	return err
}

// beforeName is the text of an error up to the name of an authority, which a
// server may have made up.
func beforeName(err x509.UnknownAuthorityError) string {
	before, _, _ := strings.Cut(err.Error(), " while trying to verify ")
	return before
}

func selfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) &&
		c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}
