use super::*;

#[test]
fn telemetry_arrives_at_least_once_and_in_order() {
    let mut two = config();
    two.max_posts_in_flight = 2;
    run(
        &two,
        &[
            (
                "some in flight, the rest in turn",
                "
                > send 1 a
                connecting
                dial
                > send 2 b
                > send 3 c
                > up
                connected
                send 1 a
                send 2 b
                > taken 1
                done 1 taken
                send 3 c
                > taken 3
                done 3 taken
                > taken 3
                > taken 2
                done 2 taken
                idle for ever",
            ),
            (
                "what was not confirmed goes again, first",
                "
                > send 1 a
                connecting
                dial
                > up
                connected
                send 1 a
                > send 2 b
                send 2 b
                > send 3 c
                > down Network
                disconnected Network retry in 1s
                > wait 1s
                connecting
                dial
                > up
                connected
                send 3 a
                send 4 b
                > taken 1
                > taken 3
                done 1 taken
                send 5 c
                > cancel 2
                done 2 Cancelled Unknown
                > down Network
                disconnected Network retry in 2s
                > wait 2s
                connecting
                dial
                > up
                connected
                send 6 c
                > taken 6
                done 3 taken",
            ),
            (
                "refused for the moment: again after a pause, before what is later",
                "
                > send 1 a
                connecting
                dial
                > up
                connected
                send 1 a
                > taken 1 Throttled
                idle 10s
                > send 2 b
                > wait 10s
                send 2 a
                send 3 b
                > taken 2 TooLarge
                done 1 TooLarge Refused
                > taken 3
                done 2 taken",
            ),
            (
                "every request ends",
                "
                > send 1 a
                connecting
                dial
                > wait 240s
                done 1 Timeout NotSent
                > send 2 b
                > up
                connected
                send 1 b
                > wait 30s
                send 2 b
                > wait 30s
                disconnect
                > down Network
                disconnected Timeout retry in 1s",
            ),
            (
                "what is too large is never sent",
                "
                > send 1 x*262145
                done 1 TooLarge NotSent
                connecting
                dial
                > up
                connected
                > send 2 x*262144
                send 1 xxxxxxxxxxxxxxxxxxxx
                > batch 3 y*200000 z*100000
                done 3 TooLarge NotSent
                > close 4
                done 2 Closed Unknown
                disconnect",
            ),
        ],
    );
}

#[test]
fn messages_are_asked_for_on_every_link_and_settled() {
    run(
        &config(),
        &[
            (
                "subscribe, hear, settle, and again on the next link",
                "
                > mail 1
                connecting
                dial
                > up
                connected
                subscribe messages
                > message t0 early
                message t0 early
                > granted messages
                done 1 watching
                > message t1 hello
                message t1 hello
                > complete 2 t1
                complete 1 t1
                > taken 1
                done 2 taken
                > reject 3 t1
                reject 2 t1
                > taken 2 NotSupported
                done 3 NotSupported Refused
                > down Network
                disconnected Network retry in 1s
                > abandon 4 t1
                > wait 1s
                connecting
                dial
                > up
                connected
                subscribe messages
                abandon 3 t1
                > taken 3 PreconditionFailed
                done 4 PreconditionFailed Refused
                > mail 5
                > granted messages
                done 5 watching
                > mail 6
                done 6 watching
                > unmail
                unsubscribe messages
                > message t2 late",
            ),
            (
                "refused at first: whoever asked hears it, and the link stays",
                "
                > mail 1
                connecting
                dial
                > up
                connected
                subscribe messages
                > refused messages
                done 1 Unavailable NotSent
                > send 2 a
                send 1 a",
            ),
            (
                "refused later: the link is given up",
                "
                > mail 1
                connecting
                dial
                > up
                connected
                subscribe messages
                > granted messages
                done 1 watching
                > down Network
                disconnected Network retry in 1s
                > wait 1s
                connecting
                dial
                > up
                connected
                subscribe messages
                > refused messages
                disconnect",
            ),
            (
                "asked for by hand",
                "
                > receive 1 all
                connecting
                dial
                > up
                connected
                receive 1 all
                > taken 1
                done 1 taken",
            ),
        ],
    );
}

#[test]
fn there_are_no_twins_over_https() {
    let mut https = config();
    https.twins = false;
    run(
        &https,
        &[(
            "refused at once, without a link",
            "
            > get 1
            done 1 NotSupported NotSent
            > report 2 {\"a\":1}
            done 2 NotSupported NotSent
            > watch 3
            done 3 NotSupported NotSent
            idle for ever",
        )],
    );
}
