use super::*;

/// Watching, at version 3.
const WATCH: &str = r#"
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
    > answer #1 200 {"desired":{"a":1,"$version":3},"reported":{"$version":1}}
    done 1 watching
    whole v3 {"a":1}
    idle for ever
"#;

/// The same, away and connected again: request 2 reads the twin.
const AGAIN: &str = r#"
    > down Network
    disconnected Network retry in 1s
    > wait 1s
    connecting
    dial
    > up present
    connected
    subscribe answers
    subscribe desired
    > granted answers
    > granted desired
    get #2
"#;

fn watching(name: &'static str, rest: &str) -> (&'static str, String) {
    (name, format!("{WATCH}{rest}"))
}

fn again(name: &'static str, rest: &str) -> (&'static str, String) {
    (name, format!("{WATCH}{AGAIN}{rest}"))
}

fn run_all(scripts: &[(&'static str, String)]) {
    let scripts: Vec<_> = scripts.iter().map(|(name, script)| (*name, script.as_str())).collect();
    run(&config(), &scripts);
}

#[test]
fn changes_come_in_order_once_per_version() {
    run_all(&[
        watching(
            "each as it comes, with the version of topic or body",
            r#"
            > desired v4 {"a":2,"$version":4}
            patch v4 {"a":2}
            > desired none {"b":{"c":1},"a":null,"$version":5}
            patch v5 {"a":null,"b":{"c":1}}"#,
        ),
        watching(
            "doubled and outdated ones are dropped; the twin is read once, for it may have been made anew",
            r#"
            > desired v4 {"a":2,"$version":4}
            patch v4 {"a":2}
            > desired v4 {"a":2,"$version":4}
            idle 10s
            > desired v2 {"a":0,"$version":2}
            > wait 10s
            get #2
            > answer #2 200 {"desired":{"a":2,"$version":4},"reported":{"$version":1}}
            idle for ever
            > desired v5 {"a":3,"$version":5}
            patch v5 {"a":3}"#,
        ),
        watching(
            "a gap leads to a read",
            r#"
            > desired v5 {"b":5,"$version":5}
            get #2
            > desired v6 {"b":6,"$version":6}
            > answer #2 200 {"desired":{"a":1,"b":5,"$version":5},"reported":{"$version":1}}
            whole v5 {"a":1,"b":5}
            patch v6 {"b":6}
            idle for ever"#,
        ),
        watching(
            "two that changed places are put in order",
            r#"
            > desired v5 {"b":5,"$version":5}
            get #2
            > desired v4 {"b":4,"$version":4}
            > answer #2 200 {"desired":{"a":1,"$version":3},"reported":{"$version":1}}
            patch v4 {"b":4}
            patch v5 {"b":5}
            idle for ever"#,
        ),
        watching(
            "reads that lag behind a notification are repeated, then believed",
            r#"
            > desired v9 {"b":9,"$version":9}
            get #2
            > answer #2 200 {"desired":{"a":1,"$version":3},"reported":{"$version":1}}
            get #3
            > answer #3 200 {"desired":{"a":1,"$version":3},"reported":{"$version":1}}
            idle 0.25s
            > wait 0.25s
            get #4
            > answer #4 200 {"desired":{"a":1,"b":8,"$version":8},"reported":{"$version":1}}
            whole v8 {"a":1,"b":8}
            patch v9 {"b":9}
            idle for ever
            > desired v99 {"b":9,"$version":99}
            get #5
            > answer #5 200 {"desired":{"a":1,"b":9,"$version":9},"reported":{"$version":1}}
            get #6
            > answer #6 200 {"desired":{"a":1,"b":9,"$version":9},"reported":{"$version":1}}
            > wait 0.25s
            get #7
            > answer #7 200 {"desired":{"a":1,"b":9,"$version":9},"reported":{"$version":1}}
            > wait 0.5s
            get #8
            > answer #8 200 {"desired":{"a":1,"b":9,"$version":9},"reported":{"$version":1}}
            > wait 1s
            get #9
            > answer #9 200 {"desired":{"a":1,"b":9,"$version":9},"reported":{"$version":1}}
            > wait 2s
            get #a
            > answer #a 200 {"desired":{"a":1,"b":9,"$version":9},"reported":{"$version":1}}
            idle for ever
            > desired v10 {"b":10,"$version":10}
            patch v10 {"b":10}"#,
        ),
        watching(
            "one that makes no sense leads to a read",
            r#"
            > wait 5s
            > desired v4 {"a":
            get #2
            > answer #2 200 {"desired":{"a":4,"$version":4},"reported":{"$version":1}}
            whole v4 {"a":4}
            > desired none {"a":5}
            > wait 0.25s
            get #3"#,
        ),
    ]);
}

#[test]
fn nothing_is_missed_while_away() {
    run_all(&[
        again(
            "nothing changed: nothing is delivered",
            r#"
            > answer #2 200 {"desired":{"a":1,"$version":3},"reported":{"$version":1}}
            idle for ever"#,
        ),
        again(
            "something changed: the whole, then what came meanwhile",
            r#"
            > desired v6 {"a":6,"$version":6}
            > desired v8 {"a":8,"$version":8}
            > desired v7 {"a":7,"$version":7}
            > answer #2 200 {"desired":{"a":5,"x":1,"$version":6},"reported":{"$version":1}}
            whole v6 {"a":5,"x":1}
            patch v7 {"a":7}
            patch v8 {"a":8}"#,
        ),
        again(
            "the twin was made anew: the version went backwards, twice",
            r#"
            > answer #2 200 {"desired":{"$version":1},"reported":{"$version":1}}
            idle 0.25s
            > wait 0.25s
            get #3
            > answer #3 200 {"desired":{"$version":1},"reported":{"$version":1}}
            whole v1 {}
            > desired v2 {"a":2,"$version":2}
            patch v2 {"a":2}"#,
        ),
        again(
            "a read that lags behind once is not believed",
            r#"
            > answer #2 200 {"desired":{"a":0,"$version":2},"reported":{"$version":1}}
            > wait 0.25s
            get #3
            > answer #3 200 {"desired":{"a":1,"$version":3},"reported":{"$version":1}}"#,
        ),
        again(
            "the twin was made anew and happens to be at the same version",
            r#"
            > answer #2 200 {"desired":{"z":1,"$version":3},"reported":{"$version":1}}
            whole v3 {"z":1}"#,
        ),
        again(
            "a lost link while reading",
            r#"
            > down Network
            disconnected Network retry in 2s
            > wait 2s
            connecting
            dial
            > up
            connected
            subscribe answers
            subscribe desired
            > granted desired
            > desired v4 {"a":4,"$version":4}
            > granted answers
            get #3
            > answer #3 200 {"desired":{"a":1,"$version":3},"reported":{"$version":1}}
            patch v4 {"a":4}"#,
        ),
        again(
            "a read that is refused for the moment",
            r#"
            > answer #2 429
            idle 10s
            > wait 10s
            get #3
            > answer #3 200 {"desired":{"a":1,"$version":3},"reported":{"$version":1}}
            idle for ever"#,
        ),
        again(
            "a read that is refused outright: the watch was promised, so the link is made anew",
            "
            > answer #2 404
            disconnect
            > down Network
            disconnected Unavailable retry in 2s",
        ),
        again(
            "an owner's read serves as well",
            r#"
            > answer #2 429
            > get 7
            > wait 10s
            get #3
            > answer #3 200 {"desired":{"a":4,"$version":4},"reported":{"$version":1}}
            done 7 twin v4 {"a":4} v1
            whole v4 {"a":4}"#,
        ),
    ]);
}

#[test]
fn watches_begin_and_end() {
    run_all(&[
        watching(
            "watching twice delivers nothing twice",
            "
            > watch 2
            done 2 watching",
        ),
        watching(
            "stopped and begun again: a whole again",
            r#"
            > unwatch
            unsubscribe desired
            idle for ever
            > desired v4 {"a":4,"$version":4}
            > watch 2
            subscribe desired
            > granted desired
            get #2
            > answer #2 200 {"desired":{"a":4,"$version":4},"reported":{"$version":1}}
            done 2 watching
            whole v4 {"a":4}"#,
        ),
        watching(
            "a read from before the new subscription proves nothing",
            r#"
            > desired v5 {"a":5,"$version":5}
            get #2
            > unwatch
            unsubscribe desired
            > watch 2
            subscribe desired
            > answer #2 200 {"desired":{"a":4,"$version":4},"reported":{"$version":1}}
            > granted desired
            get #3"#,
        ),
        (
            "given up before it began: no subscription is kept",
            "
            > watch 1
            connecting
            dial
            > cancel 1
            done 1 Cancelled NotSent
            > up
            connected
            idle for ever"
                .into(),
        ),
        (
            "a refused subscription",
            "
            > watch 1
            connecting
            dial
            > up
            connected
            subscribe answers
            subscribe desired
            > granted answers
            > refused desired
            done 1 Unavailable NotSent
            idle for ever"
                .into(),
        ),
        (
            "a twin that can't be read",
            "
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
            > answer #1 403
            done 1 Forbidden NotSent
            unsubscribe desired
            idle for ever"
                .into(),
        ),
    ]);
}

#[test]
fn held_notifications_are_bounded() {
    let mut bench = Bench::new(config());
    for step in ["watch 1", "up", "granted answers", "granted desired"] {
        bench.step(step);
    }
    for version in 4..1000 {
        bench.step(&format!("desired v{version} {{\"a\":{version},\"$version\":{version}}}"));
    }
    let first = bench.step(r#"answer #1 200 {"desired":{"a":3,"$version":3},"reported":{"$version":1}}"#);
    assert_eq!(first, ["done 1 watching", r#"whole v3 {"a":3}"#, "get #2"]);
    let second =
        bench.step(r#"answer #2 200 {"desired":{"a":999,"$version":999},"reported":{"$version":1}}"#);
    assert_eq!(second, [r#"whole v999 {"a":999}"#]);
}
