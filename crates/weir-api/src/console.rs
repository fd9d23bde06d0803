//! The files of the console, as they are built into the binary, and how they are answered: in the
//! coding that the browser likes best, and not at all if it has them already.
//!
//! Invariant: only what is in the table is answered, found by its exact path. It refuses to know
//! how the files were made, or any data.

use std::fmt::Write as _;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

/// What the page may do: load what Weir serves and ask Weir, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; \
                      manifest-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";

/// How long a browser may keep a file. The names under `/assets/` change with their contents.
const FOREVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

/// A file of the console.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// Path that it is asked by, like `/assets/index-1a2b.js`.
    pub path: &'static str,
    /// Changes when `plain` does.
    pub tag: &'static str,
    /// The file.
    pub plain: &'static [u8],
    /// The file, in coding `gzip`.
    pub gzip: Option<&'static [u8]>,
    /// The file, in coding `br`.
    pub brotli: Option<&'static [u8]>,
}

/// The console's files; none in a binary that was built without them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Console(pub &'static [Asset]);

impl Console {
    /// The file of `path`.
    pub fn find(&self, path: &str) -> Option<&'static Asset> {
        self.0.iter().find(|asset| asset.path == path)
    }

    /// The page that every page path is answered with.
    pub fn index(&self) -> Option<&'static Asset> {
        self.find("/index.html")
    }
}

impl Asset {
    /// Answers a request with `headers`.
    pub fn answer(&self, headers: &HeaderMap) -> Response {
        let (coding, octets) = self.coded(headers);
        let mut tag = format!("\"{}", self.tag);
        // Writing to a string has no error to report.
        let _infallible = match coding {
            Some(coding) => write!(tag, "-{coding}\""),
            None => write!(tag, "\""),
        };
        let is_known = has_tag(headers, &tag);
        let body = if is_known { Body::empty() } else { Body::from(Bytes::from_static(octets)) };
        let mut response = Response::new(body);
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let answered = response.headers_mut();
        let mut set = |name: HeaderName, value: &'static str| {
            answered.insert(name, HeaderValue::from_static(value));
        };
        let is_hashed = self.path.starts_with("/assets/");
        set(header::CACHE_CONTROL, if is_hashed { FOREVER } else { ASK_AGAIN });
        set(header::VARY, "accept-encoding");
        if self.path.ends_with(".html") {
            set(header::CONTENT_SECURITY_POLICY, POLICY);
        }
        if !is_known {
            set(header::CONTENT_TYPE, media_type(self.path));
            if let Some(coding) = coding {
                set(header::CONTENT_ENCODING, coding);
            }
        }
        if let Ok(tag) = HeaderValue::try_from(tag) {
            answered.insert(header::ETAG, tag);
        }
        response
    }

    /// The coding that is accepted best, and the file in it; at a tie the smallest.
    fn coded(&self, headers: &HeaderMap) -> (Option<&'static str>, &'static [u8]) {
        let any = quality(headers, &["*"]).unwrap_or(0);
        let mut best = (None, self.plain);
        // Why: Whoever accepts a coding wants it, unless identity is named as better. Identity is
        // also what is sent when nothing is acceptable: a page is better than a refusal.
        let mut best_quality = quality(headers, &["identity"]).unwrap_or(0);
        for (coding, names, octets) in
            [("gzip", &["gzip", "x-gzip"][..], self.gzip), ("br", &["br"][..], self.brotli)]
        {
            let quality = quality(headers, names).unwrap_or(any);
            if let Some(octets) = octets.filter(|_| quality > 0 && quality >= best_quality) {
                best = (Some(coding), octets);
                best_quality = quality;
            }
        }
        best
    }
}

/// Weight of a coding in thousandths (RFC 9110 §12.5.3); `None` when it is not named. What cannot
/// be read weighs nothing.
fn quality(headers: &HeaderMap, names: &[&str]) -> Option<u16> {
    let values = headers.get_all(header::ACCEPT_ENCODING).into_iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).find_map(
        |item| {
            let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
            let coding = coding.trim();
            names.iter().find(|name| coding.eq_ignore_ascii_case(name))?;
            let weight = parameters.split_once('=').map(|(_, weight)| weight.trim());
            let weight = weight.map_or(Some(1.0), |weight| weight.parse::<f32>().ok());
            Some((weight.unwrap_or(0.0).clamp(0.0, 1.0) * 1_000.0) as u16)
        },
    )
}

/// True when the browser has what `tag` names already (RFC 9110 §13.1.2, weak comparison).
fn has_tag(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).into_iter();
    let mut tags = values.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    tags.any(|known| {
        let known = known.trim();
        known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
    })
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSET: Asset = Asset {
        path: "/assets/a.js",
        tag: "1",
        plain: b"plain",
        gzip: Some(b"gzip"),
        brotli: Some(b"br"),
    };

    fn chosen(asset: Asset, accepted: &[&str]) -> &'static str {
        let mut headers = HeaderMap::new();
        for value in accepted {
            headers.append(header::ACCEPT_ENCODING, HeaderValue::from_str(value).unwrap());
        }
        std::str::from_utf8(asset.coded(&headers).1).unwrap()
    }

    #[test]
    fn the_coding_is_the_one_that_is_accepted_best() {
        for (accepted, expected) in [
            (&[][..], "plain"),
            (&[""], "plain"),
            (&["gzip, deflate, br, zstd"], "br"),
            (&["gzip", "br"], "br"),
            (&["GZIP"], "gzip"),
            (&["x-gzip"], "gzip"),
            (&["gzip;q=0.9, br;q=0.8"], "gzip"),
            (&["br; q=0.001"], "br"),
            (&["br;q=0, gzip;q=0"], "plain"),
            (&["br;q=0, *"], "gzip"),
            (&["*"], "br"),
            (&["*;q=0"], "plain"),
            (&["identity, gzip;q=0.5"], "plain"),
            (&["identity;q=0.5, gzip;q=0.6"], "gzip"),
            (&["identity;q=0"], "plain"),
            (&["br;q=x, gzip;q=NaN"], "plain"),
            (&["br;q=-1, gzip;q=7"], "gzip"),
            (&["zbr, brx"], "plain"),
        ] {
            assert_eq!(chosen(ASSET, accepted), expected, "{accepted:?}");
        }
        let bare = Asset { gzip: None, brotli: None, ..ASSET };
        assert_eq!(chosen(bare, &["gzip, br"]), "plain");
        let gzip_only = Asset { brotli: None, ..ASSET };
        assert_eq!(chosen(gzip_only, &["gzip;q=0.1, br"]), "gzip");
    }

    #[test]
    fn a_tag_is_known_in_all_its_forms() {
        for (known, expected) in [
            ("\"1-br\"", true),
            ("W/\"1-br\"", true),
            ("\"0\", \"1-br\"", true),
            ("*", true),
            ("\"1\"", false),
            ("1-br", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(known).unwrap());
            assert_eq!(has_tag(&headers, "\"1-br\""), expected, "{known}");
        }
    }
}
