use super::*;

#[test]
fn tokens_from_a_key_are_renewed_in_time() {
    let mut config = config();
    config.credential = key();
    let mut bench = Bench::new(config);
    assert_eq!(bench.step("open 1"), ["connecting", "dial until 3600"]);
    bench.step("up");
    // Between 75 and 85 % of the lifetime, by the seed.
    assert_eq!(bench.wait(Duration::from_secs(2699)), [""; 0]);
    let Output::Idle { wake_at: Some(renewal) } = bench.session.poll() else { panic!("no renewal") };
    assert!((2700.0..=3060.0).contains(&renewal.as_secs_f64()), "{renewal:?}");
    assert_eq!(bench.wait(renewal - bench.mono), ["disconnect"]);
    assert_eq!(bench.step("down Network"), [format!("dial until {}", renewal.as_secs() + 3600)]);
    // The owner heard nothing.
    assert_eq!(bench.step("up"), [""; 0]);
    assert_eq!(bench.session.counters().renewals, 1);
}

#[test]
fn renewals() {
    let mut config = config();
    config.credential = key();
    config.token_lifetime = Duration::from_secs(100);
    run(
        &config,
        &[
            (
                "wait for what is in flight, and hold back what is new",
                r#"
                > get 1
                connecting
                dial until 100
                > up
                connected
                subscribe answers
                > granted answers
                get #1
                > answer #1 200 {"desired":{"$version":1},"reported":{"$version":1}}
                done 1 twin v1 {} v1
                > wait 70s
                > report 2 {"a":1}
                report #2 {"a":1}
                > clock 40
                > wait 1s
                > get 3
                > answer #2 204 v2
                done 2 reported v2
                disconnect
                > down Network
                dial until 211
                > up
                subscribe answers
                > granted answers
                get #2"#
                    .replace("get #2", "get #3")
                    .as_str(),
            ),
            (
                "but not for long",
                "
                > report 1 {\"a\":1}
                connecting
                dial until 100
                > up
                connected
                subscribe answers
                > granted answers
                report #1 {\"a\":1}
                > clock 90
                > wait 1s
                idle 5s
                > wait 5s
                disconnect
                > down Network
                dial until 196
                > up
                subscribe answers
                > granted answers
                report #2 {\"a\":1}
                > answer #2 204 v3
                done 1 reported v3",
            ),
            (
                "called off when the clock is set back",
                "
                > report 1 {\"a\":1}
                connecting
                dial until 100
                > up
                connected
                subscribe answers
                > granted answers
                report #1 {\"a\":1}
                > clock 90
                > wait 1s
                > report 2 {\"b\":1}
                > clock -90
                > answer #1 204 v2
                done 1 reported v2
                report #2 {\"b\":1}",
            ),
            (
                "that fail to connect are told",
                "
                > open 1
                connecting
                dial until 100
                > up
                connected
                done 1 opened
                > clock 90
                > wait 1s
                disconnect
                > down Network
                dial until 191
                > down Network
                disconnected Network retry in 1s
                > wait 1s
                connecting
                dial until 192",
            ),
            (
                "a refusal is final, unless the clock was set while dialing",
                "
                > open 1
                connecting
                dial until 100
                > clock 86400
                > down Unauthorized
                disconnected Unauthorized retry in 1s
                > wait 1s
                connecting
                dial until 86501
                > down Unauthorized
                disconnected Unauthorized stopped
                done 1 Unauthorized NotSent",
            ),
            (
                "a hub that throws the token out of an open link gets a new one, once",
                "
                > open 1
                connecting
                dial until 100
                > up
                connected
                done 1 opened
                > down Unauthorized
                disconnected Unauthorized retry in 1s
                > wait 1s
                connecting
                dial until 101
                > up
                connected
                > down Unauthorized
                disconnected Unauthorized stopped",
            ),
        ],
    );
    config.renew_in_place = true;
    run(
        &config,
        &[(
            "in place, where the protocol can",
            "
            > open 1
            connecting
            dial until 100
            > up
            connected
            done 1 opened
            > clock 90
            > wait 1s
            renew until 191
            > report 1 {\"a\":1}
            subscribe answers",
        )],
    );
}

#[test]
fn given_tokens_are_announced_and_replaced() {
    let mut config = config();
    config.credential = Credential::Token(token(1000));
    run(
        &config,
        &[
            (
                "announced once, replaced by a new link",
                "
                > open 1
                connecting
                dial until 1000
                > up
                connected
                done 1 opened
                idle 850s
                > wait 850s
                token expiring at 1000
                idle for ever
                > down Network
                disconnected Network retry in 1s
                > wait 1s
                connecting
                dial until 1000
                > up
                connected
                > token 5000
                disconnect
                > down Network
                dial until 5000
                > up
                idle 3526.65s",
            ),
            (
                "replaced while dialing",
                "
                > open 1
                connecting
                dial until 1000
                > token 2000
                > up
                connected
                done 1 opened
                disconnect
                > down Network
                dial until 2000",
            ),
            (
                "a stopped session begins again with a new token",
                "
                > open 1
                connecting
                dial until 1000
                > down Unauthorized
                disconnected Unauthorized stopped
                done 1 Unauthorized NotSent
                > token 2000
                connecting
                dial until 2000
                > up
                connected",
            ),
            (
                "a new token alone connects nobody",
                "
                > token 2000
                idle for ever",
            ),
        ],
    );
}

#[test]
fn nothing_printed_shows_a_secret() {
    let mut config = config();
    config.credential = key();
    config.renew_in_place = true;
    let secrets = ["BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc", "sig="];
    let mut bench = Bench::new(config);
    let mut printed = String::new();
    bench.session.handle_command(bench.now(), Command::Open { ticket: Ticket(1) });
    for _ in 0..2 {
        loop {
            printed += &format!("{:?}\n", bench.session);
            match bench.session.poll() {
                Output::Idle { .. } => break,
                output => printed += &format!("{output:?}\n"),
            }
        }
        bench.session.handle_link(bench.now(), Link::Up { session_present: false });
        bench.mono = Duration::from_secs(3500);
        bench.session.handle_timeout(bench.now());
    }
    assert!(printed.contains("Dial") && printed.contains("Renew"), "{printed}");
    for secret in secrets {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}

#[test]
fn an_ended_token_is_named_when_the_hub_refuses_it() {
    let mut config = config();
    config.credential = Credential::Token(token(10));
    let mut bench = Bench::new(config);
    bench.step("open 1");
    bench.wait(Duration::from_secs(20));
    bench.session.handle_link(bench.now(), Link::Down(Error::new(ErrorKind::Unauthorized, "refused")));
    let mut messages = String::new();
    while let Output::Event(event) = bench.session.poll() {
        messages += &format!("{event:?}");
    }
    assert!(
        messages.contains("the given token ended at 2023-11-14T22:13:30Z by this device's clock"),
        "{messages}"
    );
    assert!(!messages.contains("sig="), "{messages}");
}
