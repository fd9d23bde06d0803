use super::*;
use proptest::prelude::*;
use weir_model::Bitmap;

fn round_trip<T: Lane + std::fmt::Debug>(values: &[T], compress: bool) -> usize {
    let mut encoder = Encoder::new();
    encoder.set_compress(compress);
    let mut octets = Vec::new();
    encoder.wide(values, &mut octets);
    let mut cursor = Cursor::new(&octets);
    let mut read: Vec<T> = Vec::new();
    decode(&mut cursor, values.len(), &mut read).unwrap();
    assert!(cursor.is_empty(), "{} octets left", cursor.len());
    let bits = |values: &[T]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert!(bits(&read) == bits(values), "{} values came back as others", values.len());
    octets.len()
}

/// A generator without state of its own: the same numbers in every run.
fn noise(seed: u64) -> impl Iterator<Item = u64> {
    (0..).map(move |i: u64| {
        let mut x = seed ^ i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    })
}

/// Sequences that encodings like to get wrong.
fn hostile(n: usize) -> Vec<(&'static str, Vec<u64>)> {
    let n64 = n as u64;
    let random = |mask: u64| noise(1).map(|x| x & mask).take(n).collect::<Vec<_>>();
    let outlier = |at: usize, value: u64| {
        let mut values = random(0xff);
        if let Some(slot) = values.get_mut(at) {
            *slot = value;
        }
        values
    };
    let tail = |x: u64| 1u64 << (x.trailing_zeros().min(40)) | x >> 40 & 7;
    vec![
        ("zeros", vec![0; n]),
        ("all the highest", vec![u64::MAX; n]),
        ("extremes in turn", (0..n64).map(|i| if i % 2 == 0 { 0 } else { u64::MAX }).collect()),
        ("rising", (0..n64).collect()),
        ("rising to the end", (0..n64).map(|i| u64::MAX - n64 + i).collect()),
        ("falling", (0..n64).rev().collect()),
        ("random 64 bits", random(u64::MAX)),
        ("random 33 bits", random((1 << 33) - 1)),
        ("random 32 bits", random(u32::MAX.into())),
        ("random 13 bits", random((1 << 13) - 1)),
        ("one bit", random(1)),
        ("an outlier first", outlier(0, u64::MAX)),
        ("an outlier last", outlier(n.saturating_sub(1), u32::MAX.into())),
        ("an outlier in the middle", outlier(n / 2, 1 << 31)),
        ("heavy tail", noise(2).map(tail).take(n).collect()),
        ("long runs", (0..n64).map(|i| i / 100 * 1_000).collect()),
        (
            "few values far apart",
            noise(3).map(|x| [0, 443, 1 << 40, u64::MAX][x as usize % 4]).take(n).collect(),
        ),
        ("many values far apart", noise(4).map(|x| (x % 700) * 0x1_0001).take(n).collect()),
        (
            "milliseconds",
            noise(5).map(|x| 1_700_000_000_000_000_000 + x % 60_000 * 1_000_000).take(n).collect(),
        ),
        ("skewed", noise(6).map(|x| if x % 20 == 0 { 0xb8 } else { 0 }).take(n).collect()),
        ("skewed octets", noise(7).map(|x| (x & x >> 8 & x >> 16) & 0xffff).take(n).collect()),
    ]
}

#[test]
fn every_distribution_and_length_round_trips() {
    for n in [1, 2, 3, 63, 64, 511, 512, 513, 5_000, 65_536] {
        for (name, values) in hostile(n) {
            let rest: Vec<u32> = values.iter().map(|v| *v as u32).collect();
            let ports: Vec<u16> = values.iter().map(|v| *v as u16).collect();
            let times: Vec<i64> = values.iter().map(|v| *v as i64).collect();
            let floats: Vec<f64> = values.iter().map(|v| f64::from_bits(*v)).collect();
            for compress in [false, true] {
                let len = round_trip(&values, compress);
                assert!(len <= n * 8 + n / 32 + 64, "{len} octets for {n} values, {name}");
                round_trip(&rest, compress);
                round_trip(&ports, compress);
                round_trip(&times, compress);
                round_trip(&floats, compress);
            }
        }
    }
}

#[test]
fn nothing_is_a_sequence_too() {
    assert_eq!(round_trip::<u64>(&[], true), 2);
}

#[test]
fn orderly_sequences_are_small() {
    let octets = |name: &str| {
        let all = hostile(65_536);
        let (_, values) = all.iter().find(|(n, _)| *n == name).unwrap();
        round_trip(values, true)
    };
    let most = [
        ("zeros", 8),
        ("rising", 600),
        ("long runs", 1_000),
        ("skewed", 65_536 / 16),
        ("few values far apart", 40_000),
        ("milliseconds", 2 * 65_536 + 200),
        ("an outlier first", 65_536 + 400),
    ];
    for (name, most) in most {
        assert!(octets(name) <= most, "{} octets for {name}", octets(name));
    }
}

#[test]
fn not_a_number_keeps_its_bits() {
    let odd = [f64::NAN, -f64::NAN, 0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MIN, 1e-310];
    round_trip(&odd, true);
    round_trip(&[f64::from_bits(0x7ff8_0000_dead_beef); 3], true);
    assert!(Lane::to_bits(-1.0f64) < Lane::to_bits(-0.0f64));
    assert!(Lane::to_bits(f64::INFINITY) < Lane::to_bits(f64::NAN));
}

fn values() -> impl Strategy<Value = Vec<u64>> {
    let value = prop_oneof![
        4 => 0u64..20,
        2 => 0u64..70_000,
        1 => any::<u64>(),
        1 => Just(u64::MAX),
        1 => (0u64..100).prop_map(|x| x * 1_000_000_000),
    ];
    prop_oneof![
        prop::collection::vec(value.clone(), 0..1_200),
        prop::collection::vec((value, 1usize..40), 0..60).prop_map(|runs| {
            runs.into_iter().flat_map(|(v, n)| std::iter::repeat_n(v, n)).collect()
        }),
    ]
}

proptest! {
    #[test]
    fn any_sequence_round_trips(values in values(), compress: bool) {
        round_trip(&values, compress);
        round_trip(&values.iter().map(|v| *v as u8).collect::<Vec<_>>(), compress);
        round_trip(&values.iter().map(|v| *v as i64).collect::<Vec<_>>(), compress);
    }

    #[test]
    fn any_octets_are_refused_or_read(octets in prop::collection::vec(any::<u8>(), 0..300), n in 0usize..70_000) {
        let mut read: Vec<u64> = Vec::new();
        if decode(&mut Cursor::new(&octets), n, &mut read).is_ok() {
            prop_assert_eq!(read.len(), n);
        }
    }

    #[test]
    fn damaged_sequences_are_refused_or_read(
        values in values(),
        at in any::<prop::sample::Index>(),
        octet: u8,
    ) {
        let mut octets = Vec::new();
        Encoder::new().wide(&values, &mut octets);
        let at = at.index(octets.len());
        octets[at] = octet;
        let mut read: Vec<u16> = Vec::new();
        if decode(&mut Cursor::new(&octets), values.len(), &mut read).is_ok() {
            prop_assert_eq!(read.len(), values.len());
        }
    }

    #[test]
    fn validity_round_trips(runs in prop::collection::vec((1usize..400, any::<bool>()), 1..40)) {
        let mut bits = Bitmap::default();
        runs.into_iter().for_each(|(n, bit)| bits.extend_by(n, bit));
        let mut octets = Vec::new();
        validity::encode_validity(&bits, &mut Encoder::new(), &mut octets);
        let mut cursor = Cursor::new(&octets);
        prop_assert_eq!(validity::decode_validity(&mut cursor, bits.len()), Ok(bits));
        prop_assert!(cursor.is_empty());
    }

    #[test]
    fn noisy_validity_round_trips(words in prop::collection::vec(any::<u64>(), 1..20), cut in 0usize..64) {
        let len = words.len() * 64 - cut;
        let bits = Bitmap::from_words(words, len);
        let mut octets = Vec::new();
        validity::encode_validity(&bits, &mut Encoder::new(), &mut octets);
        let mut cursor = Cursor::new(&octets);
        prop_assert_eq!(validity::decode_validity(&mut cursor, len), Ok(bits));
        prop_assert!(cursor.is_empty());
    }
}
