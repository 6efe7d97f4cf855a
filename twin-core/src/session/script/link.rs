use super::*;

#[test]
fn links_are_made_again() {
    run(
        &config(),
        &[
            (
                "failures in a row wait longer; a link that lasted ends the row",
                "
                > open 1
                connecting
                dial
                > down Network
                disconnected Network retry in 1s
                idle 1s
                > wait 1s
                connecting
                dial
                > down Unavailable
                disconnected Unavailable retry in 2s
                > wait 2s
                connecting
                dial
                > up
                connected
                done 1 opened
                > wait 20s
                > down Network
                disconnected Network retry in 1s",
            ),
            (
                "a link that did not last counts as a failure",
                "
                > open 1
                connecting
                dial
                > up
                connected
                done 1 opened
                > wait 19s
                > down Network
                disconnected Network retry in 1s
                > wait 1s
                connecting
                dial
                > up
                connected
                > down Network
                disconnected Network retry in 2s",
            ),
            (
                "throttled dials wait longer",
                "
                > open 1
                connecting
                dial
                > down Throttled
                disconnected Throttled retry in 10s",
            ),
            (
                "what cannot pass is not retried; the next request tries again",
                "
                > open 1
                connecting
                dial
                > get 2
                > down Unauthorized
                disconnected Unauthorized stopped
                done 1 Unauthorized NotSent
                done 2 Unauthorized NotSent
                idle for ever
                > wait 1000s
                > get 3
                connecting
                dial
                > down Tls
                disconnected Tls stopped
                done 3 Tls NotSent",
            ),
            (
                "a watch outlives a stop, and goes on when somebody opens again",
                r#"
                > watch 1
                connecting
                dial
                > up
                connected
                subscribe answers
                subscribe desired
                > granted answers
                > granted desired
                get #1
                > answer #1 200 {"desired":{"$version":1},"reported":{"$version":1}}
                done 1 watching
                whole v1 {}
                > down Unauthorized
                disconnected Unauthorized stopped
                > open 2
                connecting
                dial
                > up
                connected
                done 2 opened
                subscribe answers
                subscribe desired"#,
            ),
            (
                "reports of the driver that come too late change nothing",
                "
                > down Network
                > up
                disconnect
                > down Network
                > open 1
                connecting
                dial
                > up
                connected
                done 1 opened
                > up
                idle for ever",
            ),
        ],
    );
}

#[test]
fn a_storm_of_devices_spreads() {
    let mut config = config();
    config.retry = RetryPolicy::default();
    for (kind, from, to) in [(ErrorKind::Network, 0.0, 1.0), (ErrorKind::Throttled, 5.0, 10.0)] {
        let mut tenths = [0; 10];
        for seed in 0..2000 {
            let mut bench = Bench::new(config.clone());
            bench.session = Session::new(config.clone(), seed);
            bench.step("open 1");
            bench.step(&format!("down {}", kind.name()));
            let Output::Idle { wake_at: Some(at) } = bench.session.poll() else { panic!("no retry") };
            let place = (at.as_secs_f64() - from) / (to - from);
            tenths[(place * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|n| (140..260).contains(n)), "{kind:?}: {tenths:?}");
    }
}

#[test]
fn no_configuration_is_too_large_for_the_clock() {
    let mut config = config();
    config.credential = key();
    config.token_lifetime = Duration::MAX;
    config.answer_timeout = Duration::MAX;
    config.request_timeout = Duration::MAX;
    for retry in [
        RetryPolicy::custom(|_, _| Some(Duration::MAX)),
        RetryPolicy::Exponential {
            first: Duration::MAX,
            max: Duration::MAX,
            throttled_first: Duration::MAX,
            throttled_max: Duration::MAX,
            give_up_after: Some(Duration::MAX),
        },
    ] {
        config.retry = retry;
        let mut bench = Bench::new(config.clone());
        bench.step("get 1");
        bench.step("up");
        bench.step("granted answers");
        bench.step("answer #1 429");
        bench.step("down Throttled");
        assert_eq!(bench.idle(), "idle 86400s");
        assert_eq!(bench.wait(Duration::from_secs(86_400)), [""; 0]);
    }
}

#[test]
fn a_policy_that_gives_up_ends_requests() {
    let mut config = config();
    config.retry = RetryPolicy::None;
    run(
        &config,
        &[
            (
                "a lost link",
                "
                > report 1 {\"a\":1}
                connecting
                dial
                > up
                connected
                subscribe answers
                > granted answers
                report #1 {\"a\":1}
                > down Network
                disconnected Network stopped
                done 1 Network Unknown
                idle for ever",
            ),
            (
                "a refusal for the moment",
                "
                > report 1 {\"a\":1}
                connecting
                dial
                > up
                connected
                subscribe answers
                > granted answers
                report #1 {\"a\":1}
                > get 2
                get #2
                > answer #1 429
                done 1 Throttled Refused
                > answer #2 503
                done 2 Unavailable Refused
                idle for ever",
            ),
        ],
    );
}
