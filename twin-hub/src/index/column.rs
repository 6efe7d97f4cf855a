//! One value of fixed size per row, for values that are mostly different from row to row.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use roaring::RoaringBitmap;

/// Rows per page.
const PAGE_ROWS: usize = 4096;
const WORDS: usize = PAGE_ROWS / 64;

/// From how many rows on a page is an array with a place for each of its rows: a sparse row costs two bytes more, so
/// at half full an array wastes less than twice the space and saves the search.
const DENSE_ROWS: usize = PAGE_ROWS / 2;

/// Below how many rows an array becomes sparse again.
const SPARSE_ROWS: usize = PAGE_ROWS / 8;

/// Rows that are fewer than one in so many are looked up, instead of going through the column.
const FEW: u64 = 16;

/// How many of a column's `values` [`Column::select`] looks at.
pub(super) fn cost(values: u64, within: &RoaringBitmap) -> u64 {
    match (within.min(), within.max()) {
        _ if within.len() < values / FEW => within.len(),
        (Some(first), Some(last)) => values.min(u64::from(last - first) + PAGE_ROWS as u64),
        _ => 0,
    }
}

/// Row handle → value, in pages.
#[derive(Debug)]
pub(super) struct Column<T> {
    pages: BTreeMap<u32, Page<T>>,
    rows: u64,
}

#[derive(Debug)]
enum Page<T> {
    /// sorted places in the page, and the value of each
    Sparse { places: Vec<u16>, values: Vec<T> },
    /// a bit per place that has a value, and a value per place
    Dense { present: Box<[u64]>, values: Box<[T]>, rows: usize },
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Column { pages: BTreeMap::new(), rows: 0 }
    }
}

fn split(handle: u32) -> (u32, usize) {
    (handle / PAGE_ROWS as u32, handle as usize % PAGE_ROWS)
}

impl<T: Copy + Default> Column<T> {
    /// How many rows have a value.
    pub(super) fn len(&self) -> u64 {
        self.rows
    }

    /// How many pages are arrays.
    #[cfg(test)]
    pub(super) fn dense_pages(&self) -> usize {
        self.pages.values().filter(|page| matches!(page, Page::Dense { .. })).count()
    }

    pub(super) fn set(&mut self, handle: u32, value: T) {
        let (number, place) = split(handle);
        let page = self.pages.entry(number).or_insert_with(Page::new);
        self.rows += u64::from(page.set(place, value));
    }

    /// Puts many values; cheap if neighbours stand together.
    pub(super) fn set_all(&mut self, values: &[(u32, T)]) {
        for run in values.chunk_by(|a, b| split(a.0).0 == split(b.0).0) {
            let page = self.pages.entry(split(run[0].0).0).or_insert_with(Page::new);
            let new = run.iter().filter(|(handle, value)| page.set(split(*handle).1, *value)).count();
            self.rows += new as u64;
        }
    }

    pub(super) fn clear(&mut self, handle: u32) {
        let (number, place) = split(handle);
        let Some(page) = self.pages.get_mut(&number) else { return };
        self.rows -= u64::from(page.clear(place));
        if page.is_empty() {
            self.pages.remove(&number);
        }
    }

    pub(super) fn get(&self, handle: u32) -> Option<T> {
        let (number, place) = split(handle);
        self.pages.get(&number)?.get(place)
    }

    /// Calls `to` with every row in `range` that has a value, in ascending order.
    pub(super) fn each(&self, range: RangeInclusive<u32>, mut to: impl FnMut(u32, T)) {
        for (number, page) in self.pages.range(split(*range.start()).0..=split(*range.end()).0) {
            let first = number * PAGE_ROWS as u32;
            page.each(|place, value| {
                let row = first + place as u32;
                if range.contains(&row) {
                    to(row, value);
                }
            });
        }
    }

    /// The rows whose value passes `test`. Rows outside of `within` may be left out.
    pub(super) fn select(&self, within: Option<&RoaringBitmap>, test: impl Fn(T) -> bool) -> RoaringBitmap {
        if let Some(within) = within.filter(|within| within.len() < self.len() / FEW) {
            let passes = |handle: &u32| self.get(*handle).is_some_and(&test);
            return within.iter().filter(passes).collect();
        }
        let bounds = |within: &RoaringBitmap| Some((split(within.min()?).0, split(within.max()?).0));
        let Some((first, last)) = within.map_or(Some((0, u32::MAX)), bounds) else {
            return RoaringBitmap::new();
        };
        let mut passing = RoaringBitmap::new();
        let mut block = Block::new();
        for (number, page) in self.pages.range(first..=last) {
            let words = block.words_of(*number, &mut passing);
            page.select(&test, words);
        }
        block.flush(&mut passing);
        passing
    }
}

/// Bits of the rows of one bitmap container, gathered before they go into the bitmap at once.
struct Block {
    number: u32,
    words: Box<[u64]>,
}

/// Pages per bitmap container of 65,536 rows.
const BLOCK_PAGES: u32 = 16;

impl Block {
    fn new() -> Self {
        Block { number: 0, words: vec![0; WORDS * BLOCK_PAGES as usize].into_boxed_slice() }
    }

    /// The words of a page. Pages come in ascending order; what an earlier block has gathered goes to `into`.
    fn words_of(&mut self, page: u32, into: &mut RoaringBitmap) -> &mut [u64] {
        if page / BLOCK_PAGES != self.number {
            self.flush(into);
            self.number = page / BLOCK_PAGES;
        }
        let first = (page % BLOCK_PAGES) as usize * WORDS;
        &mut self.words[first..first + WORDS]
    }

    fn flush(&mut self, into: &mut RoaringBitmap) {
        if self.words.iter().any(|word| *word != 0) {
            let bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
            *into |= RoaringBitmap::from_lsb0_bytes(self.number * BLOCK_PAGES * PAGE_ROWS as u32, &bytes);
            self.words.fill(0);
        }
    }
}

impl<T: Copy + Default> Page<T> {
    fn new() -> Self {
        Page::Sparse { places: Vec::new(), values: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        match self {
            Page::Sparse { places, .. } => places.is_empty(),
            Page::Dense { rows, .. } => *rows == 0,
        }
    }

    fn get(&self, place: usize) -> Option<T> {
        match self {
            Page::Sparse { places, values } => Some(values[places.binary_search(&(place as u16)).ok()?]),
            Page::Dense { present, values, .. } => has(present, place).then(|| values[place]),
        }
    }

    /// Whether the place was empty.
    fn set(&mut self, place: usize, value: T) -> bool {
        match self {
            Page::Sparse { places, values } => match places.binary_search(&(place as u16)) {
                Ok(at) => {
                    values[at] = value;
                    false
                }
                Err(at) => {
                    places.insert(at, place as u16);
                    values.insert(at, value);
                    if places.len() >= DENSE_ROWS {
                        *self = self.to_dense();
                    }
                    true
                }
            },
            Page::Dense { present, values, rows } => {
                let new = !has(present, place);
                present[place / 64] |= 1 << (place % 64);
                values[place] = value;
                *rows += usize::from(new);
                new
            }
        }
    }

    /// Whether the place had a value.
    fn clear(&mut self, place: usize) -> bool {
        match self {
            Page::Sparse { places, values } => match places.binary_search(&(place as u16)) {
                Ok(at) => {
                    places.remove(at);
                    values.remove(at);
                    true
                }
                Err(_) => false,
            },
            Page::Dense { present, rows, .. } => {
                let had = has(present, place);
                present[place / 64] &= !(1 << (place % 64));
                *rows -= usize::from(had);
                if *rows < SPARSE_ROWS {
                    *self = self.to_sparse();
                }
                had
            }
        }
    }

    fn to_dense(&self) -> Page<T> {
        let mut dense = Page::Dense {
            present: vec![0; WORDS].into_boxed_slice(),
            values: vec![T::default(); PAGE_ROWS].into_boxed_slice(),
            rows: 0,
        };
        if let Page::Sparse { places, values } = self {
            for (place, value) in places.iter().zip(values) {
                dense.set(usize::from(*place), *value);
            }
        }
        dense
    }

    fn to_sparse(&self) -> Page<T> {
        let places: Vec<u16> =
            (0..PAGE_ROWS).filter(|place| self.get(*place).is_some()).map(|p| p as u16).collect();
        let values = places.iter().filter_map(|place| self.get(usize::from(*place))).collect();
        Page::Sparse { places, values }
    }

    fn each(&self, mut to: impl FnMut(usize, T)) {
        match self {
            Page::Sparse { places, values } => {
                places.iter().zip(values).for_each(|(place, value)| to(usize::from(*place), *value));
            }
            Page::Dense { present, values, .. } => {
                let values = values.iter().enumerate();
                values.filter(|(place, _)| has(present, *place)).for_each(|(place, value)| to(place, *value));
            }
        }
    }

    /// Sets the bits of places whose value passes.
    fn select(&self, test: &impl Fn(T) -> bool, into: &mut [u64]) {
        match self {
            Page::Sparse { places, values } => {
                for (place, value) in places.iter().zip(values) {
                    let place = usize::from(*place);
                    into[place / 64] |= u64::from(test(*value)) << (place % 64);
                }
            }
            Page::Dense { present, values, .. } => {
                for ((word, present), values) in into.iter_mut().zip(present).zip(values.chunks_exact(64)) {
                    // All 64 tests without branches.
                    let tests = values.iter().enumerate();
                    let passing = tests.fold(0, |bits, (bit, value)| bits | (u64::from(test(*value)) << bit));
                    *word = passing & present;
                }
            }
        }
    }
}

fn has(present: &[u64], place: usize) -> bool {
    present[place / 64] & (1 << (place % 64)) != 0
}
