//! Which octets of a message the peer has acknowledged.

use core::ops::Range;

/// A message is mostly sent, and acknowledged, in one piece: nothing is allocated for that.
#[derive(Clone, Debug)]
pub(super) enum Ranges {
    /// Disjoint ranges in ascending order that do not touch each other.
    Some(Vec<Range<usize>>),
    All,
}

impl Default for Ranges {
    fn default() -> Self {
        Self::Some(Vec::new())
    }
}

impl Ranges {
    /// Adds a range of a message of this length; says whether anything of it is new.
    pub(super) fn insert(&mut self, range: &Range<usize>, len: usize) -> bool {
        let Self::Some(ranges) = self else {
            return false;
        };
        if range.start == 0 && range.end >= len {
            let news = self.gap(0, len).is_some();
            *self = Self::All;
            return news;
        }
        // All that overlap or touch it become one.
        let first = ranges.partition_point(|known| known.end < range.start);
        let last = ranges.partition_point(|known| known.start <= range.end);
        let Some(touched) = ranges.get(first..last) else {
            return false;
        };
        let (start, end) = match (touched.first(), touched.last()) {
            (Some(low), Some(high)) => {
                if low.start <= range.start && range.end <= low.end {
                    return false;
                }
                (low.start.min(range.start), high.end.max(range.end))
            }
            (None, _) | (_, None) => (range.start, range.end),
        };
        ranges.splice(first..last, core::iter::once(start..end));
        true
    }

    /// The first range from `from` on, below `end`, that is not in here.
    pub(super) fn gap(&self, from: usize, end: usize) -> Option<Range<usize>> {
        let Self::Some(ranges) = self else {
            return None;
        };
        let mut start = from;
        for known in ranges {
            if known.end <= start {
                continue;
            }
            if known.start > start {
                return Some(start..known.start.min(end)).filter(|gap| gap.start < gap.end);
            }
            start = known.end;
        }
        (start < end).then_some(start..end)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_agree_with_a_set_of_octets() {
        let mut state = 7_u64;
        let mut draw = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % below
        };
        for _ in 0..200 {
            let mut ranges = Ranges::default();
            let mut octets = [false; 64];
            for _ in 0..12 {
                let start = draw(64);
                let end = start + 1 + draw(64 - start);
                let new = octets[start..end].iter().any(|known| !known);
                assert_eq!(ranges.insert(&(start..end), 64), new);
                octets[start..end].fill(true);
                for from in 0..64 {
                    let first = (from..64).find(|&at| !octets[at]);
                    let gap = ranges.gap(from, 64);
                    assert_eq!(gap.as_ref().map(|gap| gap.start), first);
                    if let Some(gap) = gap {
                        assert!(octets[gap.clone()].iter().all(|known| !known));
                        assert!(gap.end == 64 || octets[gap.end]);
                    }
                }
            }
        }
    }
}
