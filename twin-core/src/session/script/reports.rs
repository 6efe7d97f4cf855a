use super::*;

const CONNECT: &str = "
    > report 1 {\"a\":1}
    connecting
    dial
    > up
    connected
    subscribe answers
    > granted answers
    report #1 {\"a\":1}
";

fn connected(name: &'static str, rest: &str) -> (&'static str, String) {
    (name, format!("{CONNECT}{rest}"))
}

fn run_connected(config: &Config, scripts: &[(&'static str, String)]) {
    let scripts: Vec<_> = scripts.iter().map(|(name, script)| (*name, script.as_str())).collect();
    run(config, &scripts);
}

#[test]
fn reports_go_in_order_and_merge_while_they_wait() {
    run_connected(
        &config(),
        &[
            connected(
                "one in flight, the rest in one message, all answered",
                r#"
                > report 2 {"a":2,"b":{"x":1}}
                > report 3 {"b":{"y":2},"a":null}
                > answer #1 204 v2
                done 1 reported v2
                report #2 {"a":null,"b":{"x":1,"y":2}}
                > answer #2 204 v3
                done 2 reported v3
                done 3 reported v3
                idle for ever"#,
            ),
            connected(
                "an answer without a version is a success",
                "
                > answer #1 200
                done 1 reported",
            ),
            connected(
                "what no merge patch can say together goes apart: removal, then members inside",
                r#"
                > report 2 {"a":null}
                > report 3 {"a":{"b":1}}
                > answer #1 204 v2
                done 1 reported v2
                report #2 {"a":null}
                > answer #2 204 v3
                done 2 reported v3
                report #3 {"a":{"b":1}}"#,
            ),
            connected(
                "reports that name a version go alone, in their turn",
                r#"
                > report 2 {"b":1}
                > report 3 v3 {"c":1}
                > report 4 {"d":1}
                > answer #1 204 v2
                done 1 reported v2
                report #2 {"b":1}
                > answer #2 204 v3
                done 2 reported v3
                report #3 v3 {"c":1}
                > answer #3 412
                done 3 PreconditionFailed Refused
                report #4 {"d":1}"#,
            ),
            connected(
                "a merged message that is refused is taken apart: nobody fails for another's fault",
                r#"
                > report 2 {"b":1}
                > report 3 {"bad":1}
                > report 4 {"d":1}
                > answer #1 204 v2
                done 1 reported v2
                report #2 {"b":1,"bad":1,"d":1}
                > report 5 {"e":1}
                > answer #2 400
                report #3 {"b":1}
                > answer #3 204 v3
                done 2 reported v3
                report #4 {"bad":1}
                > answer #4 400
                done 3 Rejected Refused
                report #5 {"d":1}
                > answer #5 204 v4
                done 4 reported v4
                report #6 {"e":1}"#,
            ),
        ],
    );
}

#[test]
fn unanswered_reports_are_repeated_before_later_ones() {
    run_connected(
        &config(),
        &[
            connected(
                "after a lost link, merged with what came since",
                r#"
                > down Network
                disconnected Network retry in 1s
                > report 2 {"a":2}
                > wait 1s
                connecting
                dial
                > up
                connected
                subscribe answers
                > granted answers
                report #2 {"a":2}
                > answer #1 204 v2
                > answer #2 204 v3
                done 1 reported v3
                done 2 reported v3"#,
            ),
            connected(
                "after no answer",
                r#"
                > report 2 {"b":2}
                > wait 30s
                report #2 {"a":1,"b":2}
                > answer #2 204 v3
                done 1 reported v3
                done 2 reported v3"#,
            ),
            connected(
                "after a refusal for the moment, behind which later ones wait",
                r#"
                > answer #1 429
                > report 2 {"b":2}
                idle 10s
                > wait 10s
                report #2 {"a":1,"b":2}
                > answer #2 500
                idle 2s
                > wait 2s
                report #3 {"a":1,"b":2}
                > answer #3 204 v3
                done 1 reported v3
                done 2 reported v3
                > report 4 {"c":1}
                report #4 {"c":1}"#,
            ),
            connected(
                "a merged message's fault is not held against its parts when time runs out",
                r#"
                > report 2 {"b":1}
                > report 3 {"bad":1}
                > answer #1 204 v2
                done 1 reported v2
                report #2 {"b":1,"bad":1}
                > down Network
                disconnected Network retry in 1s
                > wait 1s
                connecting
                dial
                > up
                connected
                subscribe answers
                > granted answers
                report #3 {"b":1,"bad":1}
                > wait 29s
                > answer #3 400
                report #4 {"b":1}
                > down Network
                disconnected Network retry in 1s
                > wait 1s
                connecting
                dial
                > wait 210s
                done 2 Timeout Unknown
                done 3 Timeout Unknown"#,
            ),
            connected(
                "a refusal of the second time says nothing about the first",
                r#"
                > down Network
                disconnected Network retry in 1s
                > wait 1s
                connecting
                dial
                > up
                connected
                subscribe answers
                > granted answers
                report #2 {"a":1}
                > answer #2 403
                done 1 Forbidden Unknown"#,
            ),
            connected(
                "together with one that was given up after it was sent: what came last stays last",
                r#"
                > report 2 {"b":1}
                > report 3 {"b":2}
                > answer #1 204 v2
                done 1 reported v2
                report #2 {"b":2}
                > down Network
                disconnected Network retry in 1s
                > cancel 3
                done 3 Cancelled Unknown
                > wait 1s
                connecting
                dial
                > up
                connected
                subscribe answers
                > granted answers
                report #3 {"b":2}
                > answer #3 204 v4
                done 2 reported v4
                idle for ever"#,
            ),
            connected(
                "until time runs out; sent once means unknown",
                r#"
                > down Network
                disconnected Network retry in 1s
                > wait 1s
                connecting
                dial
                > wait 239s
                done 1 Timeout Unknown"#,
            ),
            connected(
                "but not when they name a version: a second time would fail for its own success",
                r#"
                > answer #1 204 v2
                done 1 reported v2
                > report 2 v2 {"b":1}
                report #2 v2 {"b":1}
                > report 3 {"c":1}
                > down Network
                done 2 Network Unknown
                disconnected Network retry in 1s
                > wait 1s
                connecting
                dial
                > up
                connected
                subscribe answers
                > granted answers
                report #3 {"c":1}
                > answer #3 204 v4
                done 3 reported v4
                > report 4 v4 {"b":2}
                report #4 v4 {"b":2}
                > wait 30s
                done 4 Timeout Unknown
                > report 5 v4 {"b":2}
                report #5 v4 {"b":2}
                > answer #5 429
                > wait 10s
                report #6 v4 {"b":2}
                > answer #6 503
                done 5 Unavailable Unknown"#,
            ),
        ],
    );
}

#[test]
fn several_in_flight_stay_in_order() {
    let mut config = config();
    config.max_reports_in_flight = 2;
    run_connected(
        &config,
        &[
            connected(
                "what was sent after a repeated one is repeated too",
                r#"
                > report 2 {"b":1}
                report #2 {"b":1}
                > report 3 {"c":1}
                > answer #1 429
                idle 10s
                > answer #2 204 v2
                > wait 10s
                report #3 {"a":1,"b":1,"c":1}"#,
            ),
            connected(
                "one that an answered one overtook is not repeated: it would undo the later one",
                r#"
                > report 2 {"b":1}
                report #2 {"b":1}
                > answer #2 204 v2
                done 2 reported v2
                > report 3 {"c":1}
                report #3 {"c":1}
                > report 4 {"d":1}
                > wait 30s
                done 1 Timeout Unknown
                report #4 {"c":1,"d":1}"#,
            ),
        ],
    );
}

#[test]
fn merging_can_be_switched_off_and_is_bounded() {
    let mut config = config();
    config.merge_reports = false;
    run_connected(
        &config,
        &[connected(
            "one by one",
            r#"
        > report 2 {"b":1}
        > report 3 {"c":1}
        > answer #1 204 v2
        done 1 reported v2
        report #2 {"b":1}"#,
        )],
    );
    let mut bench = Bench::new(super::config());
    let big =
        |name: &str| format!("{{\"{name}\":[{}]}}", vec![format!("\"{}\"", "x".repeat(4000)); 5].join(","));
    for ticket in 1..=3 {
        bench.step(&format!("report {ticket} {}", big(&format!("n{ticket}"))));
    }
    bench.step("up");
    let sent = bench.step("granted answers");
    assert!(sent[0].contains("n1") && !sent[0].contains("n2"), "two of 20 kB exceed a section");
}

#[test]
fn what_no_message_can_carry_is_refused_at_once() {
    let text = format!("{{\"a\":[{}]}}", vec![format!("\"{}\"", "x".repeat(4000)); 66].join(","));
    let object = serde_json::from_str(&text).unwrap();
    let waiter = crate::session::requests::Waiter::new(Ticket(1), Duration::ZERO);
    let error = crate::session::report::Report::new(waiter, object, None).unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::TooLarge, Some(crate::Delivery::NotSent)));
}
