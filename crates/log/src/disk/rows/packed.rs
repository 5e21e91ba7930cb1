//! A column of numbers that takes no more bits for each than its largest needs. Never changed.

use bytes::{Buf, BufMut};

/// A column of numbers.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::disk) struct Packed {
    /// The smallest number; the others are kept as what they are above it.
    base: u64,
    /// Bits of each.
    width: u32,
    count: usize,
    /// One more than is needed, so that two can always be read.
    words: Box<[u64]>,
}

impl Packed {
    /// A column of these numbers.
    pub(in crate::disk) fn new(numbers: impl ExactSizeIterator<Item = u64> + Clone) -> Packed {
        let count = numbers.len();
        let base = numbers.clone().min().unwrap_or(0);
        let most = numbers.clone().max().unwrap_or(0) - base;
        let width = u64::BITS - most.leading_zeros();
        let mut words = vec![0; word_count(count, width)].into_boxed_slice();
        if width > 0 {
            let mut bit = 0;
            for number in numbers {
                let (word, shift) = (bit / 64, bit % 64);
                let wide = u128::from(number - base) << shift;
                words[word] |= wide as u64;
                words[word + 1] |= (wide >> 64) as u64;
                bit += width as usize;
            }
        }
        Packed { base, width, count, words }
    }

    /// How many numbers there are.
    pub(in crate::disk) fn len(&self) -> usize {
        self.count
    }

    /// The number at `index`, which must be one.
    pub(in crate::disk) fn get(&self, index: usize) -> u64 {
        debug_assert!(index < self.count);
        let bit = index * self.width as usize;
        let (word, shift) = (bit / 64, bit % 64);
        let wide = u128::from(self.words[word]) | u128::from(self.words[word + 1]) << 64;
        let mask = (1_u128 << self.width) - 1;
        self.base.wrapping_add(((wide >> shift) & mask) as u64)
    }

    /// All numbers in order.
    pub(in crate::disk) fn iter(&self) -> impl ExactSizeIterator<Item = u64> + Clone {
        (0..self.count).map(|index| self.get(index))
    }

    /// The first index in `range` whose number is not less than `least`, if the numbers rise there;
    /// the range's end when there is none.
    pub(in crate::disk) fn lower_bound(&self, range: std::ops::Range<usize>, least: u64) -> usize {
        let (mut begin, mut end) = (range.start, range.end);
        while begin < end {
            let middle = begin + (end - begin) / 2;
            if self.get(middle) < least {
                begin = middle + 1;
            } else {
                end = middle;
            }
        }
        begin
    }

    /// Appends the column to a file's content; see [`Packed::decode`].
    pub(in crate::disk) fn encode(&self, out: &mut Vec<u8>) {
        out.put_u32_le(self.count as u32);
        out.put_u8(self.width as u8);
        out.put_u64_le(self.base);
        self.words.iter().for_each(|word| out.put_u64_le(*word));
    }

    /// Takes a column from a file's content.
    pub(in crate::disk) fn decode(rest: &mut &[u8]) -> Option<Packed> {
        let count = rest.try_get_u32_le().ok()? as usize;
        let width = u32::from(rest.try_get_u8().ok()?);
        let base = rest.try_get_u64_le().ok()?;
        if width > u64::BITS {
            return None;
        }
        let (bytes, after) = rest.split_at_checked(word_count(count, width).checked_mul(8)?)?;
        *rest = after;
        let words = bytes.as_chunks::<8>().0.iter().map(|&eight| u64::from_le_bytes(eight));
        Some(Packed { base, width, count, words: words.collect() })
    }
}

/// The words that so many numbers of so many bits need, and one more, but two in any case.
fn word_count(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(64).max(1) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back() {
        let wide = [0, u64::MAX, 1, u64::MAX - 1, 1 << 63];
        let columns: [&[u64]; 6] =
            [&[], &[7], &[7, 7, 7], &wide, &[1 << 40, (1 << 40) + 5], &[3, 0, 1, 2]];
        let long: Vec<u64> = (0..1000).map(|n| n * n % 977).collect();
        for numbers in columns.into_iter().chain([&long[..]]) {
            let column = Packed::new(numbers.iter().copied());
            assert_eq!(column.iter().collect::<Vec<_>>(), numbers);
            let mut bytes = Vec::new();
            column.encode(&mut bytes);
            let mut rest = &bytes[..];
            assert_eq!(Packed::decode(&mut rest).as_ref(), Some(&column));
            assert!(rest.is_empty());
            assert_eq!(Packed::decode(&mut &bytes[..bytes.len() - 1]), None);
        }
        let small = Packed::new((0..1000_u32).map(|n| u64::from(n % 8)));
        assert_eq!(small.words.len(), 1000 * 3 / 64 + 2, "three bits are enough");
    }

    #[test]
    fn a_bound_is_found() {
        let column = Packed::new([2, 4, 4, 9].into_iter());
        let bounds = [0, 2, 3, 4, 5, 9, 10].map(|least| column.lower_bound(0..4, least));
        assert_eq!(bounds, [0, 0, 1, 1, 3, 3, 4]);
        assert_eq!(column.lower_bound(1..2, 100), 2);
    }
}
