package field

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A number in a page is read as its reader reads it, or not at all: a cell that is empty can be filled, one that is wrong is
// never noticed. There must be exactly one number in the text. It is
//
//   - digits, of Latin, Arabic, Persian, Indian or full-width script,
//   - in groups of three, parted by one of , . ' ’ ٬ or a no-break or thin space: 1,234 · 1.234.567 · 1'234; or the Indian way,
//     12,34,567,
//   - a fraction behind the other one of . and , (or ٫): 1,234.50 · 1.234,50 · 1 234,5 · 4.5 · 4,5 · .5
//
// with currency signs, units and words around it. What could be read in two ways is told by these rules:
//
//   - One comma before exactly three digits parts groups: 1,234 is 1234. But 0,123 and 1234,567 hold fractions, as no group
//     is written so.
//   - One dot before exactly three digits starts a fraction of a float, so 1.234 is 1.234; of an int it parts groups, as nothing
//     else makes an int of it, so 1.234 is 1234.
//   - In a price it parts groups of a float too, if the currency is one of lands where a comma starts a fraction: 1.299 € and
//     1.299,- are 1299. With any other currency it may be either: $1.299 is no float; nor is 1.299 €/l, a price of fuel. But
//     there are a thousand fils in a dinar: 1.250 KWD is 1.25, and 1,250 KWD is nothing.
//   - A plain space parts groups only if there is nothing else in the text but signs, a currency and at most one word, behind the
//     number: 1 234, € 1 234,50 and 1 234 ratings; but "iPhone 15 128 GB" holds two numbers.
//   - An int with a fraction is one only if that is zero: 1,299.00 is 1299, 4.5 is none.
//   - A dash is a minus sign if it stands right before the number, or before its currency sign, and not behind a letter, a
//     digit or another dash: -3 · −3 · -$5; but not covid-19. One behind the number may be a minus sign, or more to come, and
//     5- is none; but it is nothing in 5-star, "5 - great", 5,- and CHF 5.–.
//   - Brackets say nothing: (1,234) is 1234.
//   - A number that is cut short is none: 4.5k, 1.2M, 3 million, 5 Mio. Nor is one with more to it, such as 4½, 10², 1e5, 1.2.3,
//     10:30, 3/5, 4.5 of 5, 10-20.
//
// What machines have written for machines, as in JSON-LD, attributes and headers, has a dot only before a fraction and may
// have an exponent; if the whole of it is such a number it is read so, else as above.

// isMachineNumber reports whether a text is a number as in JSON, perhaps with a plus sign or zeros before it.
func isMachineNumber(s string) bool {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		s = s[1:]
	}
	whole := countDigits(s)
	s = s[whole:]
	if whole == 0 || whole > maxDigits {
		return false
	}
	if s != "" && s[0] == '.' {
		fraction := countDigits(s[1:])
		if s = s[1+fraction:]; fraction == 0 || fraction > maxDigits {
			return false
		}
	}
	if s != "" && s[0]|0x20 == 'e' {
		s = s[1:]
		if s != "" && (s[0] == '-' || s[0] == '+') {
			s = s[1:]
		}
		exponent := countDigits(s)
		return 0 < exponent && exponent <= 4 && exponent == len(s)
	}
	return s == ""
}

// countDigits returns how many digits s begins with.
func countDigits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

// parseNumber returns the number in a text as digits with at most a minus sign and a decimal point, empty if there is not
// exactly one. machine says that the text may have been written by a machine.
func parseNumber(text string, t Type, machine bool) string {
	if machine && isMachineNumber(text) {
		return canonical(text, t)
	}
	r := numberReader{text: text, int: t == Int}
	if !r.read() {
		return ""
	}
	return canonical(r.number, t)
}

// canonical writes a decimal number in the one way that its type has, empty if it is none of that type.
func canonical(number string, t Type) string {
	if t == Int {
		mantissa, exponent, scaled := strings.Cut(strings.ToLower(number), "e")
		if scaled {
			if n, err := strconv.Atoi(exponent); err != nil || n < -400 || n > 400 {
				return ""
			}
			exact, ok := new(big.Rat).SetString(number)
			if !ok || !exact.IsInt() || !exact.Num().IsInt64() {
				return ""
			}
			return exact.Num().String()
		}
		whole, fraction, _ := strings.Cut(mantissa, ".")
		if strings.Trim(fraction, "0") != "" {
			return ""
		}
		n, err := strconv.ParseInt(whole, 10, 64)
		if err != nil {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	f, err := strconv.ParseFloat(number, 64)
	mantissa, _, _ := strings.Cut(strings.ToLower(number), "e")
	if err != nil || math.IsInf(f, 0) || f == 0 && strings.ContainsAny(mantissa, "123456789") {
		return ""
	}
	if f == 0 {
		return "0" // not -0
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// numberReader finds the one number in a text.
type numberReader struct {
	text   string
	int    bool
	number string // what was found, without groups
}

// maxDigits is longer than any number: 10^308 is the last that a float can hold.
const maxDigits = 1000

// read reports whether there is exactly one number.
func (r *numberReader) read() bool {
	n := 0
	var before rune // the character before text[i:]
	for i := 0; i < len(r.text); {
		c, size := utf8.DecodeRuneInString(r.text[i:])
		switch {
		case digit(c) >= 0:
			if n++; n > 1 {
				return false
			}
			end, ok := r.run(i)
			if !ok {
				return false
			}
			i = end
			before = '0'
			continue
		case isPower(c) && unicode.IsLetter(before):
			// m² is a unit
		case unicode.IsNumber(c):
			return false
		}
		before = c
		i += size
	}
	return n == 1
}

// run reads the number whose first digit is text[start], and returns where it ends.
func (r *numberReader) run(start int) (end int, ok bool) {
	var groups []string // of digits
	var marks []rune    // between them
	var group strings.Builder
	total := 0
	spaced := false // a plain space parts groups
	i := start
	for {
		c, size := utf8.DecodeRuneInString(r.text[i:])
		if d := digit(c); d >= 0 {
			if total++; total > maxDigits {
				return 0, false
			}
			group.WriteByte('0' + byte(d))
			i += size
			continue
		}
		mark := separator(c)
		next, _ := utf8.DecodeRuneInString(r.text[min(i+size, len(r.text)):])
		if mark == 0 || digit(next) < 0 {
			break
		}
		groups = append(groups, group.String())
		group.Reset()
		marks = append(marks, mark)
		spaced = spaced || c == ' '
		i += size
	}
	groups = append(groups, group.String())
	if abbreviated(r.text[i:]) {
		return 0, false
	}
	before, price := moneyBefore(r.text[:start])
	after, priceAfter := moneyAfter(r.text[i:])
	if endsInDash(r.text[i:], after) || spaced && !isAlone(before, after) {
		return 0, false
	}
	price = max(price, priceAfter)
	if price == commaMoney && strings.ContainsFunc(after, func(c rune) bool { return c == '/' || unicode.IsLetter(c) }) {
		price = anyMoney // of a litre, perhaps
	}
	sign, point, ok := lead(r.text[:start])
	if !ok {
		return 0, false
	}
	if point {
		if len(groups) > 1 {
			return 0, false
		}
		r.number = sign + "0." + groups[0]
		return i, true
	}
	number, ok := r.join(groups, marks, price)
	r.number = sign + number
	return i, ok
}

// join puts the groups of digits of a number together.
func (r *numberReader) join(groups []string, marks []rune, price money) (string, bool) {
	if len(marks) == 0 {
		return groups[0], true
	}
	last := len(marks) - 1
	grouping, point := marks[0], marks[last]
	tail := groups[len(groups)-1]
	switch {
	case last == 0 && (point == '٫' || point == '.' || point == ','):
		// One mark: it parts groups or starts a fraction.
		if point != '٫' && isGrouped(groups, ',') {
			switch {
			case price == milliMoney:
				if point == ',' {
					return "", false
				}
			case point == ',' || r.int || price == commaMoney:
				return groups[0] + tail, true
			case price == anyMoney:
				return "", false
			}
		}
		return groups[0] + "." + tail, true
	case grouping == point:
		if !allEqual(marks) || !isGrouped(groups, grouping) {
			return "", false
		}
		return strings.Join(groups, ""), true
	}
	// Groups and a fraction.
	if point != '.' && point != ',' && point != '٫' || !allEqual(marks[:last]) || !isGrouped(groups[:len(groups)-1], grouping) {
		return "", false
	}
	return strings.Join(groups[:len(groups)-1], "") + "." + tail, true
}

// isGrouped reports whether digits are grouped as the thousands of a number are.
func isGrouped(groups []string, mark rune) bool {
	if mark == '٫' || len(groups[0]) > 3 || groups[0][0] == '0' {
		return false
	}
	threes, indian := true, mark == ',' && len(groups[0]) <= 2
	for i, g := range groups[1:] {
		final := i == len(groups)-2
		threes = threes && len(g) == 3
		indian = indian && (final && len(g) == 3 || !final && len(g) == 2)
	}
	return threes || indian
}

func allEqual(marks []rune) bool {
	for _, m := range marks {
		if m != marks[0] {
			return false
		}
	}
	return true
}

// lead returns the sign of a number by what stands before it, and whether a decimal point does. It is not ok if that cannot
// be told.
func lead(before string) (sign string, point, ok bool) {
	before = strings.TrimRightFunc(before, isMark)
	if c, size := utf8.DecodeLastRuneInString(before); separator(c) == '.' || separator(c) == ',' || c == '٫' {
		rest := strings.TrimRightFunc(before[:len(before)-size], isMark)
		p, _ := utf8.DecodeLastRuneInString(rest)
		if rest != "" && !unicode.IsSpace(p) && !isDash(p) && p != '+' && p != '(' && !isCurrencySign(p) {
			return "", false, true // No.5
		}
		if separator(c) == ',' {
			return "", false, false // a fraction, or the end of a clause
		}
		before, point = rest, true
	}
	money := strings.TrimRightFunc(before, isBlank)
	money = strings.TrimRightFunc(money, func(c rune) bool { return isCurrencySign(c) || isMark(c) })
	for n := 0; n < 3 && money != "" && 'A' <= money[len(money)-1] && money[len(money)-1] <= 'Z'; n++ {
		money = money[:len(money)-1] // EUR
	}
	rest := money
	if strings.TrimSpace(before[len(money):]) == "" {
		rest = before // there is no currency sign
	}
	c, size := utf8.DecodeLastRuneInString(rest)
	if !isDash(c) {
		// A dash that stands alone before the number may be a minus sign or a bullet.
		c, size = utf8.DecodeLastRuneInString(strings.TrimSpace(rest))
		return "", point, !isDash(c) || size < len(strings.TrimSpace(rest))
	}
	switch p, _ := utf8.DecodeLastRuneInString(rest[:len(rest)-size]); {
	case isDash(p) || p == '+':
		return "", false, false
	case unicode.IsLetter(p) || unicode.IsDigit(p) || p == ')':
		return "", point, true // a hyphen
	}
	return "-", point, true
}

// money tells what three digits behind one point are in a price.
type money int

const (
	noMoney    money = iota
	anyMoney         // a fraction or thousands: nobody knows
	commaMoney       // thousands, as a fraction has a comma where such a price is paid
	milliMoney       // a fraction, as the currency has a thousand parts
)

// currency returns what a word means in a price.
func currency(word string) money {
	switch word {
	case "€", "EUR", "EURO", "Euro", "Euros", "euro", "euros", "kr", "Kr", "KR", "DKK", "SEK", "NOK", "ISK", "zł", "PLN", "Kč", "CZK",
		"Ft", "HUF", "lei", "Lei", "RON", "лв", "BGN", "RSD", "₺", "TL", "TRY", "₽", "руб", "RUB", "₴", "грн", "UAH",
		"R$", "BRL", "CLP", "COP", "ARS", "UYU", "PYG", "₲", "CRC", "₡", "₫", "đ", "VND", "Rp", "IDR":
		return commaMoney
	case "KWD", "KD", "BHD", "BD", "OMR", "JOD", "JD", "TND", "DT", "LYD", "LD":
		return milliMoney
	case "USD", "GBP", "CHF", "Fr", "CAD", "AUD", "NZD", "HKD", "SGD", "TWD", "JPY", "CNY", "RMB", "KRW", "INR", "Rs", "MXN", "ZAR",
		"ILS", "THB", "MYR", "RM", "AED", "SAR", "EGP", "dollars", "pounds":
		return anyMoney
	}
	if letters := strings.TrimFunc(word, isCurrencySign); letters != word { // US$
		return max(currency(letters), anyMoney)
	}
	return noMoney
}

// moneyBefore cuts the currency off what stands before a number.
func moneyBefore(before string) (rest string, m money) {
	word := strings.TrimRightFunc(before, func(c rune) bool {
		return unicode.IsSpace(c) || isMark(c) || isDash(c) || c == '+' || c == '.'
	})
	rest = strings.TrimRightFunc(word, inCurrency)
	if m = currency(word[len(rest):]); m == noMoney {
		return before, m
	}
	return rest, m
}

// moneyAfter cuts the currency off what stands behind a number, and the dash in place of cents: 5,- EUR.
func moneyAfter(after string) (rest string, m money) {
	rest = strings.TrimLeftFunc(after, isMark)
	if dash := strings.TrimLeft(rest, ",."); len(dash) == len(rest)-1 {
		if cents := strings.TrimLeftFunc(dash, isDash); cents != dash {
			rest, m = cents, commaMoney
		}
	}
	word := strings.TrimLeftFunc(rest, isBlank)
	behind := strings.TrimLeftFunc(word, inCurrency)
	if c := currency(word[:len(word)-len(behind)]); c != noMoney {
		return behind, max(c, m)
	}
	return rest, m
}

// endsInDash reports whether a dash stands behind a number, and perhaps its currency, that may be a minus sign or begin a
// range. rest is what stands behind the currency.
func endsInDash(after, rest string) bool {
	dash := strings.TrimLeftFunc(rest, isBlank)
	c, size := utf8.DecodeRuneInString(dash)
	if !isDash(c) {
		return false
	}
	behind := strings.TrimLeftFunc(dash[size:], isMark)
	if len(dash) == len(after) {
		next, _ := utf8.DecodeRuneInString(behind)
		return !unicode.IsLetter(next)
	}
	return !strings.ContainsFunc(behind, unicode.IsLetter)
}

// isAlone reports whether there is so little around a number and its currency that it is the only one, whatever parts its
// digits.
func isAlone(before, after string) bool {
	for _, c := range before {
		if !isBlank(c) && !isDash(c) && !strings.ContainsRune("+([<>≤≥~≈", c) {
			return false
		}
	}
	words := 0
	for word := range strings.FieldsSeq(after) {
		if strings.ContainsFunc(word, unicode.IsLetter) {
			if words++; words > 1 {
				return false
			}
		}
	}
	return true
}

// abbreviated reports whether a number is cut short, or goes on, by what stands behind it.
func abbreviated(after string) bool {
	word := strings.TrimLeftFunc(after, isBlank)
	apart := len(word) < len(after)
	c, size := utf8.DecodeRuneInString(word)
	if strings.ContainsRune("万萬億亿千百兆만억천조", c) {
		return true
	}
	if !unicode.IsLetter(c) {
		return false
	}
	end := strings.IndexFunc(word, func(c rune) bool { return !unicode.IsLetter(c) })
	if end < 0 {
		end = len(word)
	}
	word = word[:end]
	if len(word) == size {
		switch c {
		case 'K', 'k', 'M', 'B', 'К', 'к', 'М', 'т':
			return true
		case 'm', 'b', 'T':
			return !apart // else metres and the like
		}
		return false
	}
	if len(word) > 24 {
		return false
	}
	switch strings.ToLower(word) {
	case "bn", "mn", "tn", "mil", "mill", "mln", "mld", "mlrd", "mio", "mrd", "tsd", "mia",
		"thousand", "thousands", "million", "millions", "billion", "billions", "trillion", "trillions",
		"lakh", "lakhs", "lac", "lacs", "crore", "crores", "cr", "hundred", "hundreds", "dozen",
		"tausend", "millionen", "milliarde", "milliarden", "mille", "milliers", "milliard", "milliards",
		"millón", "millones", "milhão", "milhões", "bilhão", "bilhões", "milione", "milioni", "miliardo", "miliardi",
		"duizend", "miljoen", "miljard", "tys", "тыс", "млн", "млрд", "тысяч", "тысячи", "миллион", "миллиона", "миллионов":
		return true
	}
	return false
}

// digit returns the value of a decimal digit, -1 if c is none.
func digit(c rune) int {
	if '0' <= c && c <= '9' {
		return int(c - '0')
	}
	if c < 0x660 {
		return -1
	}
	for _, zero := range [...]rune{0x660, 0x6f0, 0x966, 0x9e6, 0xff10} {
		if zero <= c && c < zero+10 {
			return int(c - zero)
		}
	}
	return -1
}

// separator returns what may stand between the digits of a number, as the one that stands for all that are like it, else 0.
func separator(c rune) rune {
	switch c {
	case '.', '．':
		return '.'
	case ',', '，', '٬':
		return ','
	case '٫':
		return c
	case '\'', '’':
		return '\''
	case ' ':
		return ' '
	}
	if isNarrowSpace(c) {
		return ' '
	}
	return 0
}

// isNarrowSpace reports whether c is a space that parts groups of digits, but hardly ever words.
func isNarrowSpace(c rune) bool {
	return c == '\u00a0' || c == '\u2007' || c == '\u2009' || c == '\u202f'
}

func isCurrencySign(c rune) bool { return unicode.Is(unicode.Sc, c) }

// inCurrency reports whether c may be part of the name or sign of a currency.
func inCurrency(c rune) bool { return unicode.IsLetter(c) || isCurrencySign(c) }

func isBlank(c rune) bool { return unicode.IsSpace(c) || isMark(c) }

func isPower(c rune) bool { return c == '²' || c == '³' }

func isDash(c rune) bool {
	return c == '-' || c == '\u2212' || c == '\u2013' || c == '\u2014' || c == '\uff0d' || c == '\u2010' || c == '\u2011'
}

// isMark reports whether c only tells the direction of text, and so is not seen.
func isMark(c rune) bool {
	return c == '\u200e' || c == '\u200f' || c == '\u061c' || c == '\u200b' || c == '\u2060' || c == '\ufeff' ||
		'\u202a' <= c && c <= '\u202e' || '\u2066' <= c && c <= '\u2069'
}
