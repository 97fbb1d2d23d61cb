//! What signatures prove, and how answers are signed.

use super::*;
use crate::name::NameBuf;
use crate::wire::tsig::TsigError;
use std::sync::Arc;

const NOW_S: u64 = 1_700_000_000;
/// `www.example. A`, with one additional record to come.
const QUERY: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\0\0\x01\0\x01";

fn key(name: &str, algorithm: Algorithm) -> Key {
    let name: NameBuf = name.parse().unwrap();
    Key::new(name.as_name(), algorithm, b"a secret of thirty-two octets...").unwrap()
}

fn keys(algorithm: Algorithm) -> Keys {
    let mut keys = Keys::default();
    keys.add(key("partner.", algorithm)).unwrap();
    keys
}

/// A query as a client of that key signs it: as the first message, of which nothing comes before.
fn signed(keys: &Keys, name: &str, time_s: u64, mac_len: usize) -> Vec<u8> {
    let key = keys.find("partner.".parse::<NameBuf>().unwrap().as_name()).unwrap();
    let mut message = QUERY.to_vec();
    let mut tsig = Tsig {
        key: name.parse().unwrap(),
        algorithm: key.algorithm().name(),
        time_s,
        fudge_s: 300,
        mac: &[],
        original_id: [0x12, 0x34],
        error: TsigError::NONE,
        other: &[],
    };
    let mut hasher = key.hasher();
    hasher.update(&message);
    hasher.variables(&tsig);
    let mac = hasher.finish();
    let longer = [&mac[..], &[0]].concat();
    tsig.mac = &longer[..mac_len];
    message[11] = 1;
    tsig.write(&mut message);
    message
}

fn verdict(keys: &Keys, message: &[u8], now_s: u64) -> Verdict {
    let tsig = Tsig::read(message, QUERY.len()).unwrap();
    keys.verify(message, &tsig, QUERY.len(), now_s)
}

#[test]
fn what_was_signed_with_a_key_of_ours_is_known() {
    for algorithm in Algorithm::ALL {
        let keys = keys(algorithm);
        let message = signed(&keys, "Partner.", NOW_S, algorithm.mac_len());
        let Verdict::Signed(signer) = verdict(&keys, &message, NOW_S) else { panic!("signed") };
        assert_eq!(signer.key().name().to_string(), "partner.");
    }
}

#[test]
fn a_changed_octet_is_told_from_what_was_signed() {
    let keys = keys(Algorithm::HmacSha256);
    let message = signed(&keys, "partner.", NOW_S, 32);
    let mac_end = message.len() - 6;
    for at in (2..QUERY.len()).chain(mac_end - 32..mac_end) {
        let mut changed = message.clone();
        changed[at] ^= 1;
        assert!(matches!(verdict(&keys, &changed, NOW_S), Verdict::BadSignature), "octet {at}");
    }
    let mut other_id = message.clone();
    other_id[0] ^= 1; // a forwarder may change it (RFC 8945 §4.2, Original ID)
    assert!(matches!(verdict(&keys, &other_id, NOW_S), Verdict::Signed(_)));
}

#[test]
fn another_name_algorithm_or_secret_is_another_key() {
    let sha256 = keys(Algorithm::HmacSha256);
    let message = signed(&sha256, "stranger.", NOW_S, 32);
    assert!(matches!(verdict(&sha256, &message, NOW_S), Verdict::BadKey));
    let message = signed(&sha256, "partner.", NOW_S, 32);
    assert!(matches!(verdict(&keys(Algorithm::HmacSha512), &message, NOW_S), Verdict::BadKey));
    assert!(matches!(verdict(&Keys::default(), &message, NOW_S), Verdict::BadKey));
    let mut other_secret = Keys::default();
    let name: NameBuf = "partner.".parse().unwrap();
    other_secret.add(Key::new(name.as_name(), Algorithm::HmacSha256, b"?").unwrap()).unwrap();
    assert!(matches!(verdict(&other_secret, &message, NOW_S), Verdict::BadSignature));
}

#[test]
fn a_mac_may_be_shortened_to_a_half_and_to_ten_octets() {
    for algorithm in Algorithm::ALL {
        let (keys, whole) = (keys(algorithm), algorithm.mac_len());
        for len in 0..=whole + 1 {
            let message = signed(&keys, "partner.", NOW_S, len);
            let verdict = verdict(&keys, &message, NOW_S);
            let permitted = len >= 10 && len >= whole / 2 && len <= whole;
            assert_eq!(matches!(verdict, Verdict::Signed(_)), len == whole, "{algorithm} {len}");
            assert_eq!(matches!(verdict, Verdict::BadLength), !permitted, "{algorithm} {len}");
            let refused = matches!(verdict, Verdict::BadTruncation(_));
            assert_eq!(refused, permitted && len < whole, "{algorithm} {len}");
        }
    }
}

#[test]
fn a_key_says_how_short_its_macs_may_be() {
    let key = || key("partner.", Algorithm::HmacSha256);
    assert!(key().shortened_to(15).is_none() && key().shortened_to(33).is_none());
    let mut keys = Keys::default();
    keys.add(key().shortened_to(20).unwrap()).unwrap();
    let at = |len: usize, now_s: u64| verdict(&keys, &signed(&keys, "partner.", NOW_S, len), now_s);
    assert!(matches!(at(20, NOW_S), Verdict::Signed(_)));
    let Verdict::BadTruncation(mut signer) = at(19, NOW_S) else { panic!("BADTRUNC") };
    let mut answer = QUERY.to_vec();
    signer.sign_next(&mut answer, 0, NOW_S + 1);
    let tsig = Tsig::read(&answer, QUERY.len()).unwrap();
    assert_eq!((tsig.error, tsig.time_s), (TsigError::BADTRUNC, NOW_S + 1));
    assert_eq!((tsig.mac.len(), tsig.other), (32, &[][..]));
    assert!(matches!(at(19, NOW_S + 301), Verdict::BadTime(_)), "the time is looked at before");
}

#[test]
fn the_time_may_differ_by_the_fudge() {
    let keys = keys(Algorithm::HmacSha256);
    let message = signed(&keys, "partner.", NOW_S, 32);
    for (now_s, good) in [
        (NOW_S - 301, false),
        (NOW_S - 300, true),
        (NOW_S + 300, true),
        (NOW_S + 301, false),
        (0, false),
        (NOW_S + (1 << 32), false),
    ] {
        let verdict = verdict(&keys, &message, now_s);
        assert_eq!(matches!(verdict, Verdict::Signed(_)), good, "{now_s}");
        assert_eq!(matches!(verdict, Verdict::BadTime(_)), !good, "{now_s}");
    }
}

#[test]
fn a_wrong_time_is_answered_with_both() {
    let keys = keys(Algorithm::HmacSha256);
    let message = signed(&keys, "partner.", NOW_S, 32);
    let Verdict::BadTime(mut signer) = verdict(&keys, &message, NOW_S + 4000) else {
        panic!("BADTIME")
    };
    let mut answer = b"before".to_vec();
    answer.extend_from_slice(QUERY);
    signer.sign_next(&mut answer, 6, NOW_S + 4000);
    assert_eq!(answer.len(), 6 + QUERY.len() + signer.record_len());
    let tsig = Tsig::read(&answer[6..], QUERY.len()).unwrap();
    assert_eq!((tsig.time_s, tsig.fudge_s, tsig.error), (NOW_S, 300, TsigError::BADTIME));
    assert_eq!(tsig.other, &(NOW_S + 4000).to_be_bytes()[2..]);
}

/// The MAC of an answer by the words of RFC 8945 §5.3 and §5.3.1, octets put together one by one.
fn expected_mac(key: &Key, before: &[u8], message: &[u8], first: bool, time_s: u64) -> Vec<u8> {
    let time = &time_s.to_be_bytes()[2..];
    let timers = [time, &[1, 44]].concat(); // 300 s
    let length = u16::try_from(before.len()).unwrap().to_be_bytes();
    let (name, algorithm) = (b"\x07partner\0", b"\x0bhmac-sha256\0");
    let variables = [&name[..], &[0, 255, 0, 0, 0, 0], algorithm, &timers, &[0, 0, 0, 0]].concat();
    let end = if first { variables } else { timers };
    let mut hasher = key.hasher();
    hasher.update(&[&length[..], before, message, &end].concat());
    hasher.finish().to_vec()
}

#[test]
fn each_message_of_a_stream_is_bound_to_the_one_before() {
    let key = Arc::new(key("partner.", Algorithm::HmacSha256));
    let mut signer = Signer::first(Arc::clone(&key), &[5; 16]);
    let mut before = vec![5; 16];
    for number in 0..3u8 {
        let message = [&[number, 0][..], &QUERY[2..], &[number; 9]].concat();
        let mut out = vec![0xaa; 3];
        out.extend_from_slice(&message);
        signer.sign_next(&mut out, 3, NOW_S + u64::from(number));
        let (answer, at) = (&out[3..], message.len());
        let tsig = Tsig::read(answer, at).unwrap();
        assert_eq!((answer[11], &answer[12..at]), (1, &message[12..]));
        assert_eq!((tsig.original_id, tsig.error), ([number, 0], TsigError::NONE));
        let time_s = NOW_S + u64::from(number);
        let expected = expected_mac(&key, &before, &message, number == 0, time_s);
        assert_eq!(tsig.mac, expected, "message {number}");
        before = expected;
    }
}

#[test]
fn a_refusal_names_the_unknown_key_and_is_not_signed() {
    let message = signed(&keys(Algorithm::HmacSha256), "Stranger.", NOW_S, 32);
    let tsig = Tsig::read(&message, QUERY.len()).unwrap();
    let mut answer = QUERY.to_vec();
    refuse(&tsig, TsigError::BADKEY, &mut answer, 0, NOW_S + 9);
    assert_eq!(answer.len(), QUERY.len() + refusal_len(&tsig));
    let refusal = Tsig::read(&answer, QUERY.len()).unwrap();
    assert_eq!((refusal.key.to_string(), refusal.mac), ("Stranger.".into(), &[][..]));
    assert_eq!((refusal.error, refusal.time_s), (TsigError::BADKEY, NOW_S + 9));
}

#[test]
fn the_longest_signature_fits_behind_the_longest_question() {
    let name = format!("{}.{}.", "k".repeat(40), "k".repeat(47));
    let key = Arc::new(key(&name, Algorithm::HmacSha512));
    assert_eq!(key.name().as_wire().len(), KEY_NAME_LEN_MAX);
    let signer = Signer::first(key, &[]);
    let cookie_opt_len = 11 + 4 + 24;
    assert!(12 + 259 + cookie_opt_len + signer.record_len() + 6 <= 512);
}
