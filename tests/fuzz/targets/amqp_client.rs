//! AMQP from a hub, as a device's connection hears it: any bytes come to an end, and what they lead to does not depend on the
//! pieces that they come in.
#![no_main]
use libfuzzer_sys::fuzz_target;
use twin_transport::amqp::hear;

const HEADER: &[u8] = b"AMQP\x00\x01\x00\x00";

// The first byte says how the rest is meant: as it is, or as bodies of frames, each after its length.
fuzz_target!(|input: &[u8]| {
    let Some((how, rest)) = input.split_first() else { return };
    let said = if how & 1 == 0 { rest.to_vec() } else { frames(rest) };
    let (heard, whole) = hear(&said, said.len());
    let (again, split) = hear(&said, usize::from(how >> 1));
    assert_eq!((heard, whole.map_err(|e| e.to_string())), (again, split.map_err(|e| e.to_string())));
});

fn frames(mut rest: &[u8]) -> Vec<u8> {
    let mut said = HEADER.to_vec();
    while let Some((length, bytes)) = rest.split_first() {
        let (body, left) = bytes.split_at(usize::from(*length).min(bytes.len()));
        said.extend_from_slice(&(body.len() as u32 + 8).to_be_bytes());
        said.extend_from_slice(b"\x02\x00\x00\x00");
        said.extend_from_slice(body);
        rest = left;
    }
    said
}
