#pragma once

#include <string>
#include <string_view>

// Text forms that fields of the wire take. Each ...Problem function answers what is wrong with
// `text`, as the end of a sentence ("has no scheme"), or "" where nothing is. Pure; any bytes are
// acceptable input.
namespace dragonfly::proto::rules {

// An absolute URL as Go's net/url understands it, which is what other schedulers apply:
//   scheme ":" rest, scheme = [A-Za-z][A-Za-z0-9+.-]*
// where a rest that begins with "//" has an authority: host or [v6 address], optional port up to
// 65535, optional user and password. No control characters, no space in the host, every "%" in
// authority, path and fragment followed by two hex digits. "mailto:x" and "file:///x" are URLs too:
// which schemes can be fetched is not decided here.
std::string_view UriProblem(std::string_view text);

// What of a URL may stand in an error message or a log: no user, password, query or fragment.
std::string RedactUri(std::string_view text);

// ALGORITHM ":" ENCODED (docs/reference/wire.md). Hex of md5 (32 digits), sha1 (40), sha256 (64),
// sha512 (128), blake3 (64); crc32 is a decimal number of at most 10 digits below 2^32.
std::string_view DigestProblem(std::string_view text);

// A dotted v4 or a v6 address, without brackets, port or zone.
bool IsIpLiteral(std::string_view text);

// RFC 1123: labels of 1-63 letters, digits and inner hyphens, 253 characters in all; one final dot
// is allowed.
std::string_view HostnameProblem(std::string_view text);

// RFC 9110 field name (a token).
bool IsHeaderName(std::string_view text);

// Free of CR, LF, NUL and other controls except tab: it cannot end its header line.
bool IsHeaderValue(std::string_view text);

// True where `text` has a byte below 0x20 or 0x7f.
bool HasControl(std::string_view text);

}  // namespace dragonfly::proto::rules
