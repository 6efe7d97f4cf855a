use super::*;

/// Connected, with answers subscribed by a first read.
const CONNECTED: &str = r#"
    > get 1
    connecting
    dial
    > up
    connected
    subscribe answers
    > granted answers
    get #1
    > answer #1 200 {"desired":{"a":1,"$version":3},"reported":{"$version":5}}
    done 1 twin v3 {"a":1} v5
    idle for ever
"#;

#[test]
fn every_request_ends() {
    run(
        &config(),
        &[
            (
                "open alone subscribes to nothing",
                "
                > open 1
                connecting
                dial
                idle 240s
                > up
                connected
                done 1 opened
                idle for ever
                > open 2
                done 2 opened",
            ),
            ("a request implies connecting", CONNECTED),
            (
                "reads that wait for a link share one message",
                r#"
                > get 1
                connecting
                dial
                > get 2
                > up
                connected
                subscribe answers
                > get 3
                > granted answers
                get #1
                > answer #1 200 {"desired":{"$version":1},"reported":{"$version":1}}
                done 1 twin v1 {} v1
                done 2 twin v1 {} v1
                done 3 twin v1 {} v1"#,
            ),
            (
                "a read is repeated after a lost link, with another request id, and an answer to the first is ignored",
                r#"
                > get 1
                connecting
                dial
                > up
                connected
                subscribe answers
                > granted answers
                get #1
                > down Network
                disconnected Network retry in 1s
                > wait 1s
                connecting
                dial
                > up present
                connected
                subscribe answers
                > granted answers
                get #2
                > answer #1 200 {"desired":{"$version":1},"reported":{"$version":1}}
                > answer #2 200 {"desired":{"$version":2},"reported":{"$version":1}}
                done 1 twin v2 {} v1
                > answer #2 200 {"desired":{"$version":2},"reported":{"$version":1}}"#,
            ),
            (
                "a read is repeated when the answer does not come; a link that stays silent is given up",
                "
                > get 1
                connecting
                dial
                > up
                connected
                subscribe answers
                > granted answers
                get #1
                idle 30s
                > wait 30s
                get #2
                > wait 30s
                disconnect
                > down Network
                disconnected Timeout retry in 1s
                > wait 1s
                connecting
                dial",
            ),
            (
                "but not when anything is heard between two missing answers",
                "
                > get 1
                connecting
                dial
                > up
                connected
                subscribe answers
                > granted answers
                get #1
                > wait 30s
                get #2
                > desired v1 {}
                > wait 30s
                get #3
                idle 30s",
            ),
            (
                "a hub that does not answer a subscription is left",
                "
                > get 1
                connecting
                dial
                > up
                connected
                subscribe answers
                idle 30s
                > wait 30s
                disconnect
                > down Network
                disconnected Timeout retry in 1s",
            ),
            (
                "no wait outlasts the request timeout, whatever the link does",
                "
                > open 1
                connecting
                dial
                > get 2
                > report 3 {\"a\":1}
                > watch 4
                > wait 240s
                done 1 Timeout NotSent
                done 2 Timeout NotSent
                done 3 Timeout NotSent
                done 4 Timeout NotSent
                idle for ever",
            ),
            (
                "refusals with and without a body are errors, also for reads",
                "
                > get 1
                connecting
                dial
                > up
                connected
                subscribe answers
                > granted answers
                get #1
                > answer #1 404
                done 1 NotFound Refused
                > get 2
                get #2
                > answer #2 200 {\"not\":
                done 2 Protocol
                > get 3
                get #3
                > answer #3 200
                done 3 Protocol",
            ),
            (
                "a throttled read is repeated later, and its last refusal tells why it failed",
                "
                > get 1
                connecting
                dial
                > up
                connected
                subscribe answers
                > granted answers
                get #1
                > answer #1 429
                idle 10s
                > wait 10s
                get #2
                > answer #2 429
                idle 20s
                > wait 20s
                get #3
                > answer #3 429
                > wait 30s
                get #4
                > answer #4 429
                > wait 40s
                get #5
                > answer #5 429
                > wait 50s
                get #6
                > answer #6 429
                > wait 60s
                get #7
                > answer #7 429
                > wait 30s
                done 1 Throttled Refused",
            ),
            (
                "a hub that refuses the subscription to answers is not waited for",
                "
                > get 1
                connecting
                dial
                > report 2 {\"a\":1}
                > up
                connected
                subscribe answers
                > refused answers
                done 1 Unavailable NotSent
                done 2 Unavailable NotSent
                idle for ever",
            ),
            (
                "who gives up is told whether it was sent",
                "
                > get 1
                connecting
                dial
                > report 2 {\"a\":1}
                > report 3 {\"b\":1}
                > cancel 2
                done 2 Cancelled NotSent
                > up
                connected
                subscribe answers
                > granted answers
                get #1
                report #2 {\"b\":1}
                > cancel 3
                done 3 Cancelled Unknown
                > cancel 3
                > answer #2 204 v7
                > cancel 1
                done 1 Cancelled Unknown",
            ),
        ],
    );
}

#[test]
fn more_than_max_pending_is_refused() {
    let mut config = config();
    config.max_pending = 2;
    run(
        &config,
        &[(
            "the third is refused, and there is room again when one ended",
            "
            > get 1
            connecting
            dial
            > report 2 {\"a\":1}
            > get 3
            done 3 Unavailable NotSent
            > cancel 1
            done 1 Cancelled NotSent
            > watch 4
            > open 5
            done 5 Unavailable NotSent",
        )],
    );
}

#[test]
fn nothing_unasked_is_kept() {
    let mut bench = Bench::new(config());
    bench.step("get 1");
    bench.step("up");
    bench.step("granted answers");
    let before = format!("{:?}", bench.session).len();
    for n in 0..10_000 {
        assert_eq!(bench.step(&format!("answer #{n:x}f 200 {{\"desired\":{{}}}}")), [""; 0]);
        assert_eq!(bench.step(&format!("desired v{n} {{\"a\":{n}}}")), [""; 0]);
    }
    assert_eq!(bench.session.counters().unknown_answers, 10_000);
    let after = format!("{:?}", bench.session).len();
    assert!(after < before + 50, "the session grew from {before} to {after}");
}

#[test]
fn closing_ends_everything() {
    run(
        &config(),
        &[
            (
                "an idle session closes at once, for good",
                "
                > close 1
                closed
                done 1 closed
                idle for ever
                > close 2
                done 2 closed
                > get 3
                done 3 Closed NotSent
                > open 4
                done 4 Closed NotSent
                > token 99
                > wait 100s",
            ),
            (
                "while dialing",
                "
                > open 1
                connecting
                dial
                > close 2
                done 1 Closed NotSent
                disconnect
                idle 10s
                > up
                > get 3
                done 3 Closed NotSent
                > down Network
                closed
                done 2 closed
                idle for ever",
            ),
            (
                "while connected; a driver that does not confirm is not waited for",
                "
                > report 1 {\"a\":1}
                connecting
                dial
                > up
                connected
                subscribe answers
                > granted answers
                report #1 {\"a\":1}
                > report 2 {\"a\":2}
                > close 3
                done 1 Closed Unknown
                done 2 Closed NotSent
                disconnect
                > answer #1 204 v2
                > close 4
                > wait 10s
                closed
                done 3 closed
                done 4 closed",
            ),
            (
                "while waiting to dial again",
                "
                > open 1
                connecting
                dial
                > down Unavailable
                disconnected Unavailable retry in 1s
                > close 2
                done 1 Closed NotSent
                closed
                done 2 closed
                > wait 5s",
            ),
        ],
    );
}
