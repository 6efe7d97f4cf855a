//! The official Node.js packages, unmodified, drive our hub: each file of `node/official/scenarios` is one test.

use tests::node::{NodeHub, folder, install};

/// `$name` runs `scenarios/$name.test.js` against a hub of its own on 127.0.0.$last.
macro_rules! scenarios {
    ($($name:ident on $last:literal;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let packages = folder().join("official");
                install(&packages);
                let hub = NodeHub::start($last).await;
                hub.run(&packages.join("scenarios").join(concat!(stringify!($name), ".test.js"))).await;
                hub.hub.close().await.expect("the hub closes");
            }
        )*

        #[test]
        fn every_scenario_file_is_run() {
            let mut files: Vec<String> = std::fs::read_dir(folder().join("official/scenarios"))
                .expect("the folder")
                .map(|entry| entry.expect("an entry").file_name().to_string_lossy().replace(".test.js", ""))
                .collect();
            files.sort();
            let mut named = vec![$(stringify!($name).to_owned()),*];
            named.sort();
            assert_eq!(files, named);
        }
    };
}

scenarios! {
    seed on 31;
    device_twin on 32;
    registry on 33;
    query on 34;
    module_twin on 35;
    messages on 36;
}
