//! Which octets of a message the peer has acknowledged.

use core::ops::Range;

/// Disjoint ranges in ascending order that do not touch each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranges(Vec<Range<usize>>);

impl Ranges {
    /// Adds a range; says whether anything of it is new.
    pub(super) fn insert(&mut self, range: &Range<usize>) -> bool {
        // All that overlap or touch it become one.
        let first = self.0.partition_point(|known| known.end < range.start);
        let last = self.0.partition_point(|known| known.start <= range.end);
        let Some(touched) = self.0.get(first..last) else {
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
        self.0.splice(first..last, core::iter::once(start..end));
        true
    }

    /// The first range from `from` on, below `end`, that is not in here.
    pub(super) fn gap(&self, from: usize, end: usize) -> Option<Range<usize>> {
        let mut start = from;
        for known in &self.0 {
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
        self.0.clear();
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
                assert_eq!(ranges.insert(&(start..end)), new);
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
