//! Columns and posting lists by themselves.

use super::super::column::Column;
use super::super::posting::{Posting, add_rows};
use super::*;

#[test]
fn a_column_is_a_map_whether_its_pages_are_sparse_or_dense() {
    let (mut dense, mut sparse) = (0, 0);
    for seed in 0..12 {
        let mut dice = Dice::new(seed);
        let mut column = Column::<u32>::default();
        let mut map = BTreeMap::new();
        // Fill, thin out, fill again, around a page's and a bitmap container's border.
        for (round, chance_of_set) in [9, 1, 8, 0, 5].into_iter().enumerate() {
            for _ in 0..9000 {
                let handle = 61_000 + dice.roll(if seed % 2 == 0 { 6000 } else { 200_000 }) as u32;
                if dice.roll(10) < chance_of_set {
                    let value = dice.roll(100) as u32;
                    column.set(handle, value);
                    map.insert(handle, value);
                } else {
                    column.clear(handle);
                    map.remove(&handle);
                }
            }
            let context = format!("seed {seed}, round {round}");
            dense += column.dense_pages();
            sparse += usize::from(column.dense_pages() == 0);
            assert_eq!(column.len(), map.len() as u64, "{context}");
            // A cleared place must not pass, not even a test that every value passes.
            assert!(column.select(None, |_| true).iter().eq(map.keys().copied()), "{context}");
            let expected: RoaringBitmap =
                map.iter().filter(|(_, v)| **v < 50).map(|(handle, _)| *handle).collect();
            assert_eq!(column.select(None, |v| v < 50), expected, "{context}");
            let within: RoaringBitmap = (0..40).map(|_| 61_000 + dice.roll(6000) as u32).collect();
            assert_eq!(&column.select(Some(&within), |v| v < 50) & &within, &expected & &within, "{context}");
            for handle in (60_990..67_000).step_by(7) {
                assert_eq!(column.get(handle), map.get(&handle).copied(), "{context}: {handle}");
            }
        }
    }
    assert!(dense > 0 && sparse > 0, "{dense} {sparse}");
}

#[test]
fn a_posting_is_a_set_at_every_size() {
    for seed in 0..20 {
        let mut dice = Dice::new(seed);
        let mut posting = Posting::default();
        let mut set = std::collections::BTreeSet::new();
        let range = *dice.pick(&[2, 5, 400, 2000]);
        for step in 0..4000 {
            let handle = dice.roll(range) as u32;
            if dice.roll(4) < 3 - usize::from(step > 2000) * 2 {
                posting.insert(handle);
                set.insert(handle);
            } else {
                posting.remove(handle);
                set.remove(&handle);
            }
            if step % 50 == 0 {
                let (mut few, mut many) = (Vec::new(), RoaringBitmap::new());
                posting.add_to(&mut few, &mut many);
                many.extend(few);
                assert!(many.iter().eq(set.iter().copied()), "seed {seed}, step {step}");
                assert_eq!(posting.is_empty(), set.is_empty(), "seed {seed}, step {step}");
            }
        }
    }
}

#[test]
fn many_at_once_come_to_the_same_as_one_by_one() {
    for seed in 0..20 {
        let mut dice = Dice::new(seed);
        let (mut column, mut single) = (Column::<u32>::default(), Column::<u32>::default());
        let (mut posting, mut rows) = (Posting::default(), RoaringBitmap::new());
        let mut set = std::collections::BTreeSet::new();
        for round in 0..12 {
            let range = *dice.pick(&[50, 6000, 100_000]);
            let mut handles: Vec<u32> = (0..dice.roll(900)).map(|_| dice.roll(range) as u32).collect();
            if round % 2 == 0 {
                handles.sort_unstable();
                handles.dedup();
            }
            let values: Vec<(u32, u32)> =
                handles.iter().map(|handle| (*handle, dice.roll(99) as u32)).collect();
            column.set_all(&values);
            values.iter().for_each(|(handle, value)| single.set(*handle, *value));
            posting.insert_all(&handles);
            add_rows(&mut rows, &handles);
            set.extend(handles);
            let all = |column: &Column<u32>| {
                let mut all = Vec::new();
                column.each(0..=u32::MAX, |row, value| all.push((row, value)));
                all
            };
            assert_eq!(all(&column), all(&single), "seed {seed}, round {round}");
            assert_eq!(column.len(), single.len());
            assert!(rows.iter().eq(set.iter().copied()), "seed {seed}, round {round}");
            let even: RoaringBitmap = set.iter().copied().filter(|row| row % 2 == 0).collect();
            let mut seen = Vec::new();
            posting.each_within(&even, |row| seen.push(row));
            assert!(even.iter().eq(seen.iter().copied()), "seed {seed}, round {round}");
            assert_eq!(posting.count_within(&even), (even.min(), even.len()));
        }
    }
}
