//! Reads objects of the contract, and keeps the members that it doesn't name.

use indexmap::IndexMap;
use serde::Serialize;

use super::{
    error::DecodeError,
    extra::Extra,
    read::{FromJson, read_slice},
    reader::{Member, Reader, missing},
    value::Json,
};

/// Returns a copy of an object with one of its fields set from JSON, or `None` if it has no such field or the value doesn't
/// fit.
pub(crate) fn with_field<T: Serialize + FromJson>(object: &T, fields: &[&str], name: &str, value: &Json) -> Option<T> {
    if !fields.contains(&name) {
        return None;
    }
    let mut members: IndexMap<String, Json> = read_slice(&serde_json::to_vec(object).ok()?).ok()?;
    members.insert(name.to_owned(), value.clone());
    read_slice(&serde_json::to_vec(&members).ok()?).ok()
}

/// Reads the members of an object, in any order.
///
/// A member that is repeated is refused, whether the contract names it or not: one value would be lost.
pub(crate) struct ObjectReader<'r, 'a> {
    reader: &'r mut Reader<'a>,
    names: &'static [&'static str],
    /// The byte that the object begins at.
    start: usize,
    /// The member whose value follows, by its number among the names.
    index: usize,
    next: usize,
    seen: MemberSet,
    extra: Extra,
}

impl<'r, 'a> ObjectReader<'r, 'a> {
    /// Begins an object with these members.
    pub(crate) fn new(
        reader: &'r mut Reader<'a>,
        names: &'static [&'static str],
        expected: &'static str,
    ) -> Result<Self, DecodeError> {
        let start = reader.object(expected)?;
        Ok(Self { reader, names, start, index: 0, next: 0, seen: MemberSet::default(), extra: Extra::default() })
    }

    /// Begins an object of a union, whose tag was read to find the variant.
    pub(crate) fn tagged(
        reader: &'r mut Reader<'a>,
        names: &'static [&'static str],
        expected: &'static str,
    ) -> Result<Self, DecodeError> {
        let tag = names.first().copied().unwrap_or_default();
        let (start, is_read) = reader.tagged_object(tag, expected)?;
        let mut object =
            Self { reader, names, start, index: 0, next: 0, seen: MemberSet::default(), extra: Extra::default() };
        if is_read {
            object.seen.insert(0);
            object.next = 1;
        }
        Ok(object)
    }

    /// Reads up to the value of the next member that the contract names, and returns the member's index. Keeps the
    /// members before it.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<usize>, DecodeError> {
        loop {
            match self.reader.member(self.names, &mut self.next)? {
                Member::Known(index) => {
                    if !self.seen.insert(index) {
                        return Err(self.reader.duplicate(self.names.get(index).copied().unwrap_or_default()));
                    }
                    self.index = index;
                    return Ok(Some(index));
                }
                Member::Unknown(name) => self.unknown(&name)?,
                Member::End => return Ok(None),
            }
        }
    }

    #[inline(never)]
    fn unknown(&mut self, name: &str) -> Result<(), DecodeError> {
        if self.extra.get(name).is_some() {
            return Err(self.reader.duplicate(name));
        }
        self.reader.unknown_member(name);
        self.extra.insert(name, Json::read(self.reader)?);
        Ok(())
    }

    /// Reads the value of a required member, which may be `null` if `T` is an `Option`.
    pub(crate) fn required<T: FromJson>(&mut self, slot: &mut Option<T>) -> Result<(), DecodeError> {
        *slot = Some(T::read(self.reader)?);
        Ok(())
    }

    /// Reads the value of a member that may be absent. Keeps an explicit `null`.
    pub(crate) fn optional<T: FromJson>(&mut self, slot: &mut Option<T>) -> Result<(), DecodeError> {
        if self.reader.null()? {
            self.extra.set_null(self.names, self.names.get(self.index).copied().unwrap_or_default());
        } else {
            *slot = Some(T::read(self.reader)?);
        }
        Ok(())
    }

    /// Reads the value of a member that may be absent. Keeps a value of another shape in `extra`.
    pub(crate) fn lenient<T: FromJson>(&mut self, slot: &mut Option<T>) -> Result<(), DecodeError> {
        self.reader.peek()?;
        let checkpoint = self.reader.checkpoint();
        if self.optional(slot).is_err() {
            self.reader.retry(checkpoint)?;
            let value = Json::read(self.reader)?;
            self.extra.insert(self.names.get(self.index).copied().unwrap_or_default(), value);
        }
        Ok(())
    }

    /// Returns the value of a required member that may be `null`. One that was left out is written as `null`.
    pub(crate) fn get_nullable<T>(&mut self, slot: Option<Option<T>>) -> Option<T> {
        if slot.is_none() {
            self.reader.respelled();
        }
        slot.flatten()
    }

    /// Reads a member with one value only.
    pub(crate) fn constant(&mut self, value: &'static str) -> Result<(), DecodeError> {
        self.reader.peek()?;
        let at = self.reader.offset();
        if self.reader.string()? == value {
            Ok(())
        } else {
            Err(DecodeError::data(at, format!("invalid value: string, expected `{value}`")))
        }
    }

    /// Returns the value of a required member.
    ///
    /// # Errors
    /// Fails if it was absent.
    pub(crate) fn get<T>(&self, slot: Option<T>, index: usize) -> Result<T, DecodeError> {
        slot.ok_or_else(|| self.missing(index))
    }

    /// Fails if a member with one value only was absent.
    pub(crate) fn get_constant(&self, index: usize) -> Result<(), DecodeError> {
        if self.seen.contains(index) { Ok(()) } else { Err(self.missing(index)) }
    }

    /// Returns the members that the contract doesn't name.
    pub(crate) fn into_extra(self) -> Extra {
        self.extra
    }

    #[cold]
    fn missing(&self, index: usize) -> DecodeError {
        missing(self.start, self.names.get(index).copied().unwrap_or_default())
    }
}

/// A set of members, given by their indices.
#[derive(Default)]
struct MemberSet {
    first: u64,
    /// The indices from 64 on, which few objects have.
    others: Vec<usize>,
}

impl MemberSet {
    /// Adds a number. Returns `false` if it was in the set.
    #[inline]
    fn insert(&mut self, number: usize) -> bool {
        let is_new = !self.contains(number);
        match 1_u64.checked_shl(u32::try_from(number).unwrap_or(u32::MAX)) {
            Some(bit) => self.first |= bit,
            None if is_new => self.others.push(number),
            None => {}
        }
        is_new
    }

    #[inline]
    fn contains(&self, number: usize) -> bool {
        match 1_u64.checked_shl(u32::try_from(number).unwrap_or(u32::MAX)) {
            Some(bit) => self.first & bit != 0,
            None => self.others.contains(&number),
        }
    }
}
