//! The rows that have one value.

use roaring::RoaringBitmap;

/// Most rows kept as a plain list. Beyond, a bitmap is smaller and faster.
const MAX_LISTED: usize = 256;

/// A set of row handles: one inline, a few in a sorted list, many in a bitmap.
#[derive(Debug, Default)]
pub(super) enum Posting {
    #[default]
    None,
    One(u32),
    Few(Vec<u32>),
    Many(RoaringBitmap),
}

impl Posting {
    pub(super) fn insert(&mut self, handle: u32) {
        match self {
            Posting::None => *self = Posting::One(handle),
            Posting::One(other) if *other == handle => {}
            Posting::One(other) => {
                *self = Posting::Few(vec![handle.min(*other), handle.max(*other)]);
            }
            Posting::Few(handles) => {
                if let Err(at) = handles.binary_search(&handle) {
                    handles.insert(at, handle);
                }
                if handles.len() > MAX_LISTED {
                    *self = Posting::Many(handles.iter().copied().collect());
                }
            }
            Posting::Many(handles) => {
                handles.insert(handle);
            }
        }
    }

    pub(super) fn insert_all(&mut self, handles: &[u32]) {
        match self {
            Posting::Many(rows) => add_rows(rows, handles),
            _ => handles.iter().for_each(|handle| self.insert(*handle)),
        }
    }

    pub(super) fn remove(&mut self, handle: u32) {
        match self {
            Posting::None => {}
            Posting::One(other) => {
                if *other == handle {
                    *self = Posting::None;
                }
            }
            Posting::Few(handles) => {
                if let Ok(at) = handles.binary_search(&handle) {
                    handles.remove(at);
                }
                if let [last] = handles[..] {
                    *self = Posting::One(last);
                }
            }
            Posting::Many(handles) => {
                handles.remove(handle);
                // Half of the limit, so that one row coming and going does not convert back and forth.
                if handles.len() <= MAX_LISTED as u64 / 2 {
                    *self = Posting::Few(handles.iter().collect());
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Posting::None)
    }

    /// The first row that is `within` too, and how many are.
    pub(super) fn count_within(&self, within: &RoaringBitmap) -> (Option<u32>, u64) {
        if let Posting::Many(handles) = self {
            let both = handles & within;
            return (both.min(), both.len());
        }
        let (mut first, mut count) = (None, 0);
        self.each_within(within, |handle| {
            first.get_or_insert(handle);
            count += 1;
        });
        (first, count)
    }

    /// Calls `to` with every row that is `within` too, in ascending order.
    pub(super) fn each_within(&self, within: &RoaringBitmap, mut to: impl FnMut(u32)) {
        match self {
            Posting::None => {}
            Posting::One(handle) => {
                if within.contains(*handle) {
                    to(*handle);
                }
            }
            Posting::Few(handles) => {
                handles.iter().filter(|handle| within.contains(**handle)).for_each(|handle| to(*handle));
            }
            Posting::Many(handles) => (handles & within).iter().for_each(to),
        }
    }

    /// Adds the rows to `few` or `many`, whichever is cheaper.
    pub(super) fn add_to(&self, few: &mut Vec<u32>, many: &mut RoaringBitmap) {
        match self {
            Posting::None => {}
            Posting::One(handle) => few.push(*handle),
            Posting::Few(handles) => few.extend(handles),
            Posting::Many(handles) => *many |= handles,
        }
    }
}

/// Adds rows to a bitmap; cheap if they ascend and lie behind all that are in it.
pub(super) fn add_rows(rows: &mut RoaringBitmap, handles: &[u32]) {
    if rows.append(handles.iter().copied()).is_err() {
        rows.extend(handles);
    }
}
