//! Groups from the index against groups fed row by row.

use twin_core::query::{Aggregate, Grouping, Lookup, SelectItem, Selection, Source};

use super::*;

/// What a group has at its key paths; numbers as the first twin spells them.
struct First<'g> {
    keys: &'g [Path],
    values: &'g [QueryValue<'g>],
    twin: &'g Json,
}

impl Lookup for First<'_> {
    fn lookup<'a>(&'a self, path: &Path) -> QueryValue<'a> {
        self.values[self.keys.iter().position(|key| key == path).unwrap()].clone()
    }

    fn json(&self, path: &Path) -> Option<Json> {
        let own = self.twin.json(path);
        match (self.lookup(path), self.twin.lookup(path)) {
            (QueryValue::Undefined, QueryValue::Undefined) | (QueryValue::Null, QueryValue::Null) => {}
            (QueryValue::Bool(a), QueryValue::Bool(b)) => assert_eq!(a, b),
            (QueryValue::Number(a), QueryValue::Number(b)) => assert_eq!(a, b),
            (QueryValue::String(a), QueryValue::String(b)) => assert_eq!(a, b),
            (a, b) => panic!("{a:?} is not the {b:?} of the first twin"),
        }
        own
    }
}

fn query(keys: &[Path], gathered: &[Path]) -> Query {
    let item = |(n, value)| SelectItem { value, name: format!("m{n}") };
    let keys_shown = keys.iter().cloned().map(Aggregate::Path);
    let of = [Aggregate::Avg, Aggregate::Sum, Aggregate::Min, Aggregate::Max];
    let numbers = gathered.iter().cloned().zip(of).map(|(path, of)| of(path));
    let values = std::iter::once(Aggregate::Count).chain(keys_shown).chain(numbers);
    Query {
        top: None,
        select: Selection::Items(values.enumerate().map(item).collect()),
        source: Source::Devices,
        condition: None,
        group_by: keys.to_vec(),
    }
}

#[test]
fn groups_agree_with_a_walk_over_the_rows() {
    let (mut answered, mut asked) = (0, 0);
    for seed in 0..30 {
        let mut dice = Dice::new(seed + 1000);
        let mut model = Model::new(small(seed));
        let apart = if seed.is_multiple_of(5) { 5003 } else { 1 };
        model.set_all((0..70).map(|row| (row * apart, Some(dice.twin()))));
        for _ in 0..30 {
            let keys: Vec<Path> = (0..*dice.pick(&[0, 1, 1, 1, 2, 3])).map(|_| dice.path()).collect();
            let gathered: Vec<Path> = (0..dice.roll(4)).map(|_| dice.path()).collect();
            let rows: RoaringBitmap = match dice.roll(3) {
                0 => model.index.rows().clone(),
                _ => model.index.rows().iter().filter(|_| dice.roll(3) > 0).collect(),
            };
            let query = query(&keys, &gathered);
            let (mut walked, mut found) = (Grouping::new(&query), Grouping::new(&query));
            rows.iter().for_each(|row| walked.feed(&model.twins[&row].document));
            asked += 1;
            let Some(groups) = model.index.groups(&rows, &keys, &gathered) else { continue };
            answered += 1;
            for group in groups {
                let twin = &model.twins[&group.first].document;
                let first = First { keys: &keys, values: &group.keys, twin };
                found.feed_group(&first, group.rows, &group.numbers);
            }
            assert_eq!(found.finish(), walked.finish(), "seed {seed}: {query}");
        }
    }
    assert!(answered * 4 > asked, "{answered} of {asked}");
}
