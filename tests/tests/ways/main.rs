//! The ways that browsers read by, over raw sockets, as good clients and as bad ones.

mod headers;
mod iframe;
mod multipart;
mod nginx;
mod sse;
mod xhr;

/// The origins that the tests' servers let in besides their own.
const ORIGINS: (&str, &str) =
    ("HTTP_ALLOWED_ORIGINS", "https://app.example, http://localhost:3000");

/// Payloads that want to be something else than a payload: to end a script, a string, a line, a
/// field, a part or an encoding.
const HOSTILE: [&[u8]; 12] = [
    b"</script><script>alert(1)</script>",
    b"<!--<script>",
    b"]]>--></title></body></html>",
    b"\");alert(1);//",
    b"\\\");alert(1);//\\",
    b"\r\n\r\n--tidings-\r\nContent-Type: text/html\r\n\r\n<script>",
    b"x\r\n\r\nevent: gap\ndata: {}\rid: y\n\nretry: 1",
    b"\x00\x01\x7f",
    "\u{feff}\u{2028}\u{2029}\u{85}\u{ad}\u{202e}".as_bytes(),
    b"\xff\xfe</script>\xc0\xaf",
    b"\n",
    b"",
];
