//! What the payload says: the names in DNS, TLS and HTTP.
//!
//! Reads the octets behind a transport header, as far as the sample goes. No allocation, no state:
//! a message that is spread over packets is told by its first packet or not at all. Invariant: a
//! text is whole, printable ASCII, or not told. QUIC is left out: its first packet is encrypted
//! with keys that need AES and HKDF, for which this workspace has no crate.
//!
//! Cost: most packets are ports and first octets that no application here begins with, which one
//! comparison finds out.

pub mod dns;
pub mod http;
pub mod tls;

use weir_model::FlowBatch;
use weir_model::columns::flows as c;

use super::Dissected;
use dns::Dns;
use http::Http;
use tls::ClientHello;

/// Port of DNS over UDP and TCP.
pub const DNS_PORT: u16 = 53;
/// Port of multicast DNS (RFC 6762).
pub const MDNS_PORT: u16 = 5353;
/// Port of link-local name resolution (RFC 4795), whose messages are DNS's.
pub const LLMNR_PORT: u16 = 5355;

/// An application's message, as far as the sample goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "lives on the stack for the time of one packet")]
pub enum Application<'a> {
    /// A question or an answer of DNS.
    Dns(Dns),
    /// The first message of a TLS client.
    Tls(ClientHello<'a>),
    /// The head of an HTTP/1 request or response.
    Http(Http<'a>),
}

/// Up to `N` octets of printable ASCII, without the heap.
#[derive(Clone, Copy)]
pub struct Text<const N: usize> {
    octets: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    const EMPTY: Text<N> = Text { octets: [0; N], len: 0 };

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }

    /// Appends an octet; `None` when there is no room.
    fn push(&mut self, octet: u8) -> Option<()> {
        *self.octets.get_mut(self.len)? = octet;
        self.len += 1;
        Some(())
    }

    fn extend(&mut self, octets: &[u8]) -> Option<()> {
        octets.iter().try_for_each(|octet| self.push(*octet))
    }
}

impl<const N: usize> std::fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.as_bytes()))
    }
}

impl<const N: usize> PartialEq for Text<N> {
    fn eq(&self, other: &Text<N>) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl<const N: usize> Eq for Text<N> {}

impl Dissected {
    /// The octets behind the TCP or UDP header of the innermost packet, of the `octets` that were
    /// dissected. `None` where there are none, or where the header was cut off.
    ///
    /// They may be more than the packet's own: Ethernet pads short frames.
    #[inline]
    pub fn payload<'a>(&self, octets: &'a [u8]) -> Option<&'a [u8]> {
        let left = self.payload_left as usize;
        if left == 0 { None } else { octets.get(octets.len().checked_sub(left)?..) }
    }

    /// The application's message in the `octets` that were dissected, if it is one that is known.
    ///
    /// ```
    /// use weir_wire::packet::{Link, app::Application, dissect};
    /// let mut packet = vec![0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    /// packet.extend([0x1f, 0x90, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0, 0, 0, 0, 0, 0]);
    /// packet.extend(b"GET /a HTTP/1.1\r\nHost: example.org\r\n\r\n");
    /// let seen = dissect(Link::IPV4, &packet);
    /// let Some(Application::Http(http)) = seen.application(&packet) else { panic!() };
    /// assert_eq!(http.host, Some(&b"example.org"[..]));
    /// ```
    #[inline]
    pub fn application<'a>(&self, octets: &'a [u8]) -> Option<Application<'a>> {
        if self.may_speak(octets) { self.read(octets) } else { None }
    }

    /// Sets what the payload says in row `row`; other columns stay as they are.
    #[inline]
    pub fn write_application(&self, octets: &[u8], batch: &mut FlowBatch, row: usize) {
        if self.may_speak(octets) {
            self.write_what_it_says(octets, batch, row);
        }
    }

    /// True when a look at the payload may be worth it.
    #[inline]
    fn may_speak(&self, octets: &[u8]) -> bool {
        let Some(first) = self.payload(octets).and_then(<[u8]>::first) else { return false };
        match self.transport.tcp_flags {
            Some(_) => matches!(first, 0x16 | b'A'..=b'Z') || self.is_named_service(),
            None => self.is_named_service(),
        }
    }

    #[inline]
    fn is_named_service(&self) -> bool {
        let is_dns = |port| matches!(port, DNS_PORT | MDNS_PORT | LLMNR_PORT);
        self.transport.ports.is_some_and(|(src, dst)| is_dns(dst) || is_dns(src))
    }

    #[inline(never)]
    fn read<'a>(&self, octets: &'a [u8]) -> Option<Application<'a>> {
        let payload = self.payload(octets)?;
        if self.transport.tcp_flags.is_none() {
            return dns::message(payload).map(Application::Dns);
        }
        match payload.first()? {
            0x16 => tls::client_hello(payload).map(Application::Tls),
            b'A'..=b'Z' => http::head(payload).map(Application::Http),
            _ if self.is_named_service() => dns::over_tcp(payload).map(Application::Dns),
            _ => None,
        }
    }

    #[cold]
    #[inline(never)]
    fn write_what_it_says(&self, octets: &[u8], batch: &mut FlowBatch, row: usize) {
        if let Some(application) = self.read(octets) {
            application.write(self.application_name(&application), batch, row);
        }
    }

    /// The word for it in `app`: of DNS the ports tell which kind.
    pub fn application_name(&self, application: &Application<'_>) -> &'static str {
        match (application, self.transport.ports) {
            (Application::Dns(_), Some((MDNS_PORT, _) | (_, MDNS_PORT))) => "mdns",
            (Application::Dns(_), Some((LLMNR_PORT, _) | (_, LLMNR_PORT))) => "llmnr",
            (Application::Dns(_), _) => "dns",
            (Application::Tls(_), _) => "tls",
            (Application::Http(_), _) => "http",
        }
    }
}

impl Application<'_> {
    fn write(&self, name: &str, batch: &mut FlowBatch, row: usize) {
        batch.set_octets(c::APP, row, name.as_bytes());
        let mut text = |id, text: Option<&[u8]>| {
            if let Some(text) = text {
                batch.set_octets(id, row, text);
            }
        };
        match self {
            Application::Dns(dns) => {
                text(c::DNS_QUERY, dns.name.as_ref().map(Text::as_bytes));
                if let Some(qtype) = dns.qtype {
                    batch.set(c::DNS_QTYPE, row, qtype);
                }
                if let Some(rcode) = dns.rcode {
                    batch.set(c::DNS_RCODE, row, rcode);
                }
            }
            Application::Tls(hello) => {
                text(c::TLS_SNI, hello.server_name);
                text(c::TLS_ALPN, hello.alpn.as_ref().map(Text::as_bytes));
            }
            Application::Http(http) => {
                text(c::HTTP_HOST, http.host);
                text(c::HTTP_METHOD, http.method);
                text(c::HTTP_URL, http.path);
                if let Some(status) = http.status {
                    batch.set(c::HTTP_STATUS, row, status);
                }
            }
        }
    }
}

/// True for printable ASCII without spaces, of at most 255 octets and at least one.
fn is_word(octets: &[u8]) -> bool {
    matches!(octets.len(), 1..=255) && octets.iter().all(u8::is_ascii_graphic)
}

/// Asserts what every reader of a payload promises. Part of [`crate::check::check_packet`].
pub(super) fn check(payload: &[u8]) {
    let word = |text: Option<&[u8]>| assert!(text.is_none_or(is_word), "{text:?}");
    for dns in [dns::message(payload), dns::over_tcp(payload)].into_iter().flatten() {
        let name = dns.name.as_ref().map(Text::as_bytes).unwrap_or_default();
        assert!(name.len() <= dns::NAME_MAX && name.iter().all(u8::is_ascii_graphic), "{name:?}");
        assert_eq!(dns.rcode.is_some(), dns.is_response);
    }
    if let Some(hello) = tls::client_hello(payload) {
        word(hello.server_name);
        assert!(hello.alpn.is_none_or(|alpn| alpn.as_bytes().iter().all(u8::is_ascii_graphic)));
    }
    if let Some(http) = http::head(payload) {
        word(http.host);
        word(http.method);
        word(http.path);
        assert!(http.status.is_none_or(|status| (100..1000).contains(&status)));
        assert!(http.method.is_some() != http.status.is_some(), "a request or a response");
    }
}

#[cfg(test)]
mod tests;
