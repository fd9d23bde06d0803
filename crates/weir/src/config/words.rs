//! The words that configuration values are made of: spans of time, amounts of octets, addresses.
//! Each reads text (or a whole number where that cannot be mistaken) and says what it expected.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor};
use weir_model::Cidr;

/// A span of time such as `200ms`, `30s`, `15m`, `12h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

/// An amount of octets such as `65536`, `16KiB`, `8MiB`, `200GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Octets(pub u64);

/// Where to listen: a port on all addresses, or an address with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint(pub SocketAddr);

/// A block of addresses such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block(pub Cidr);

/// A sampling rate of the exporters of a block: `10.0.0.0/24=512`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Which exporters.
    pub exporters: Cidr,
    /// One packet in so many.
    pub rate: u32,
}

/// Several values: an array in the file, words between commas elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

/// Why a word was refused: what it is, and what it should look like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not {expected}")]
pub struct WordError {
    word: String,
    expected: &'static str,
}

fn refuse<T>(word: &str, expected: &'static str) -> Result<T, WordError> {
    Err(WordError { word: word.to_owned(), expected })
}

/// Splits `12.5MiB` into its number and its unit.
fn split_number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text.get(..end)?.parse().ok()?;
    Some((number, text.get(end..)?.trim()))
}

impl FromStr for Span {
    type Err = WordError;
    fn from_str(text: &str) -> Result<Span, WordError> {
        const EXPECTED: &str = "a span of time like 200ms, 30s, 15m, 12h or 7d";
        let Some((number, unit)) = split_number(text) else { return refuse(text, EXPECTED) };
        let seconds = match unit {
            "ms" => number / 1_000.0,
            "s" => number,
            "m" | "min" => number * 60.0,
            "h" => number * 3_600.0,
            "d" => number * 86_400.0,
            "w" => number * 604_800.0,
            _ if number == 0.0 && unit.is_empty() => 0.0,
            _ => return refuse(text, EXPECTED),
        };
        match Duration::try_from_secs_f64(seconds) {
            Ok(duration) => Ok(Span(duration)),
            Err(_) => refuse(text, EXPECTED),
        }
    }
}

impl FromStr for Octets {
    type Err = WordError;
    fn from_str(text: &str) -> Result<Octets, WordError> {
        const EXPECTED: &str = "an amount of octets like 65536, 16KiB, 8MiB or 200GB";
        let Some((number, unit)) = split_number(text) else { return refuse(text, EXPECTED) };
        let scale: u64 = match unit {
            "" | "B" => 1,
            "kB" | "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            _ => return refuse(text, EXPECTED),
        };
        let octets = number * scale as f64;
        // Limit: 2^53, past which f64 no longer counts single octets; no disk is that large.
        if octets > (1u64 << 53) as f64 {
            return refuse(text, EXPECTED);
        }
        Ok(Octets(octets as u64))
    }
}

impl FromStr for Endpoint {
    type Err = WordError;
    fn from_str(text: &str) -> Result<Endpoint, WordError> {
        const EXPECTED: &str = "a port like 2055 or an address with port like 127.0.0.1:8008";
        if let Ok(port) = text.trim_start_matches(':').parse::<u16>() {
            // Why: `::` takes IPv4 too (Linux's default for dual-stack sockets).
            return Ok(Endpoint(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port)));
        }
        if let Some(port) = text.strip_prefix("localhost:")
            && let Ok(port) = port.parse()
        {
            return Ok(Endpoint(SocketAddr::from(([127, 0, 0, 1], port))));
        }
        match text.parse() {
            Ok(address) => Ok(Endpoint(address)),
            Err(_) => refuse(text, EXPECTED),
        }
    }
}

impl FromStr for Block {
    type Err = WordError;
    fn from_str(text: &str) -> Result<Block, WordError> {
        const EXPECTED: &str = "an address block like 10.0.0.0/8 or 2001:db8::/32";
        text.parse().map(Block).or_else(|_| refuse(text, EXPECTED))
    }
}

impl FromStr for Rate {
    type Err = WordError;
    fn from_str(text: &str) -> Result<Rate, WordError> {
        const EXPECTED: &str = "a block and its rate like 10.0.0.0/24=512";
        let Some((block, rate)) = text.split_once('=') else { return refuse(text, EXPECTED) };
        match (block.trim().parse(), rate.trim().parse()) {
            (Ok(exporters), Ok(rate)) if rate > 0 => Ok(Rate { exporters, rate }),
            _ => refuse(text, EXPECTED),
        }
    }
}

/// Reads a string or a whole number through `FromStr`.
struct Words<T>(std::marker::PhantomData<T>, &'static str);

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Words<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.trim().parse().map_err(E::custom)
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        number.to_string().parse().map_err(|_| E::invalid_type(Unexpected::Signed(number), &self))
    }
}

macro_rules! words {
    ($($type:ty: $expected:literal),*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(Words(std::marker::PhantomData, $expected))
            }
        }
    )*};
}
words!(
    Span: "a span of time like \"30s\"",
    Octets: "an amount of octets like \"8MiB\"",
    Endpoint: "a port or an address with port",
    Block: "an address block like \"10.0.0.0/8\"",
    Rate: "a block and its rate like \"10.0.0.0/24=512\""
);

struct ListVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array, or words between commas")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element()? {
            list.push(value);
        }
        Ok(List(list))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<List<T>, E> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let words: Vec<String> = words.map(str::to_owned).collect();
        let from = serde::de::value::SeqDeserializer::<_, E>::new(words.into_iter());
        Vec::<T>::deserialize(from).map(List)
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<List<T>, E> {
        self.visit_str(&number.to_string())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ListVisitor(std::marker::PhantomData))
    }
}

/// The name of `known` that is nearest to `word`, if any is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1) + 1;
    known
        .map(|name| (edits(word, name), name))
        .filter(|&(edits, _)| edits <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein distance between two words.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_octets_need_their_unit() {
        assert_eq!("200ms".parse(), Ok(Span(Duration::from_millis(200))));
        assert_eq!("1.5h".parse(), Ok(Span(Duration::from_secs(5_400))));
        assert_eq!("8MiB".parse(), Ok(Octets(8 << 20)));
        assert_eq!("65536".parse(), Ok(Octets(65_536)));
        assert_eq!("2 GB".parse(), Ok(Octets(2_000_000_000)));
        assert_eq!(
            "30".parse::<Span>().unwrap_err().to_string(),
            "`30` is not a span of time like 200ms, 30s, 15m, 12h or 7d"
        );
        assert!("9999999999TB".parse::<Octets>().is_err());
        assert!("-1s".parse::<Span>().is_err());
    }

    #[test]
    fn a_bare_port_listens_on_all_addresses() {
        assert_eq!("2055".parse(), Ok(Endpoint("[::]:2055".parse().unwrap())));
        assert_eq!(":2055".parse(), Ok(Endpoint("[::]:2055".parse().unwrap())));
        assert_eq!("localhost:80".parse(), Ok(Endpoint("127.0.0.1:80".parse().unwrap())));
        assert!("70000".parse::<Endpoint>().is_err());
    }

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["listen", "auth", "connections_max"];
        assert_eq!(nearest("listn", known.into_iter()), Some("listen"));
        assert_eq!(nearest("conections_max", known.into_iter()), Some("connections_max"));
        assert_eq!(nearest("colour", known.into_iter()), None);
    }
}
