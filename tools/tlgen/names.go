package main

import (
	"strings"
	"unicode"
)

// initialisms are the words that Go writes in capitals.
var initialisms = map[string]string{
	"api": "API", "dc": "DC", "id": "ID", "ids": "IDs", "ip": "IP", "ipv6": "IPv6", "json": "JSON",
	"rtmp": "RTMP", "srp": "SRP", "ttl": "TTL", "url": "URL", "urls": "URLs",
}

// goName returns the Go name of a name of the schema: PhoneGroupCall for
// phone.groupCall, DCID for dc_id.
func goName(name string) string {
	var b strings.Builder
	for _, word := range words(name) {
		if up, ok := initialisms[strings.ToLower(word)]; ok {
			b.WriteString(up)
			continue
		}
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// words splits a name at dots, underscores and capitals.
func words(name string) []string {
	var all []string
	for _, part := range strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '_' }) {
		start := 0
		for i := 1; i < len(part); i++ {
			next := i+1 < len(part) && unicode.IsLower(rune(part[i+1]))
			if unicode.IsUpper(rune(part[i])) && (!unicode.IsUpper(rune(part[i-1])) || next) {
				all = append(all, part[start:i])
				start = i
			}
		}
		all = append(all, part[start:])
	}
	return all
}

// localName returns a name for a variable.
func localName(name string) string {
	n := goName(name)
	return strings.ToLower(n[:1]) + n[1:]
}
