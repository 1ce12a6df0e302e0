//! Reads the fields of a GGUF header. No length in the file makes it allocate more than the file has.

use std::io::{self, BufReader, Read};

use serde_json::{Number, Value};

use super::{
    GgufError, GgufTensor, List, MAGIC, MAX_DIMENSIONS, MAX_HEADER_BYTES, MAX_NAME, MAX_TEXT,
    Metadata, NumberType, damaged,
};
use crate::lfs::{self, LfsPointer};

/// The ids of the types of metadata: those of numbers with their sizes, a boolean, a text and a list.
const NUMBERS: [(u32, usize); 10] =
    [(0, 1), (1, 1), (2, 2), (3, 2), (4, 4), (5, 4), (6, 4), (10, 8), (11, 8), (12, 8)];
const BOOLEAN: u32 = 7;
pub(super) const INTEGER: u32 = 5;
pub(super) const TEXT: u32 = 8;
const LIST: u32 = 9;

pub(super) struct Reader<R> {
    file: BufReader<R>,
    position: u64,
    /// The number of bytes in the file.
    bytes: u64,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(file: R, bytes: u64) -> Self {
        Self { file: BufReader::new(file), position: 0, bytes }
    }

    /// The offset of the next byte.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Checks the first bytes.
    pub(super) fn magic(&mut self) -> Result<(), GgufError> {
        let mut first = Vec::new();
        let read = self.file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut first);
        self.position = MAGIC.len() as u64;
        if read.is_ok() && first == MAGIC {
            return Ok(());
        }
        let rest = (lfs::FIRST_BYTES - MAGIC.len()) as u64;
        // What cannot be read is not a pointer.
        let _ = self.file.by_ref().take(rest).read_to_end(&mut first);
        LfsPointer::check(&first)?;
        Err(GgufError::Magic)
    }

    pub(super) fn u32(&mut self, field: &str) -> Result<u32, GgufError> {
        self.array(field).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, field: &str) -> Result<u64, GgufError> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// The name of a tensor or of metadata.
    pub(super) fn name(&mut self, field: &str) -> Result<String, GgufError> {
        self.text(field, MAX_NAME)
    }

    /// The type and the value of metadata.
    pub(super) fn metadata(&mut self, field: &str) -> Result<Metadata, GgufError> {
        let kind = self.u32(field)?;
        if kind != LIST {
            return self.value(kind, field).map(Metadata::Value);
        }
        let (item, count) = (self.u32(field)?, self.u64(field)?);
        let start = self.position;
        if item == TEXT {
            for _ in 0..count {
                let length = self.u64(field)?;
                self.skip(length, field)?;
            }
        } else {
            let size = if item == BOOLEAN { Some(1) } else { size(item) };
            let size = size.ok_or_else(|| unknown_type(item, field))?;
            self.skip(count.saturating_mul(size as u64), field)?;
        }
        Ok(Metadata::List(List { item, count, start }))
    }

    /// The name, shape, type and place of a tensor. The place is counted from the first tensor.
    pub(super) fn tensor(&mut self, alignment: u64) -> Result<(String, GgufTensor), GgufError> {
        let name = self.name("the name of a tensor")?;
        let field = format!("`{name}`");
        let dimensions = self.u32(&field)?;
        if dimensions > MAX_DIMENSIONS {
            return Err(damaged(&name, &format!("has {dimensions} dimensions")));
        }
        let mut sides = Vec::new();
        for _ in 0..dimensions {
            sides.push(self.u64(&field)?);
        }
        let (kind, start) = (NumberType(self.u32(&field)?), self.u64(&field)?);
        let count = sides.iter().try_fold(1_u64, |count, side| count.checked_mul(*side));
        let bytes = match kind.blocks() {
            None => Some(0),
            Some(blocks) => {
                let (size, numbers) = (blocks.type_size() as u64, blocks.block_size() as u64);
                if !sides.first().unwrap_or(&1).is_multiple_of(numbers) {
                    let row = sides.first().unwrap_or(&1);
                    let reason = format!("has rows of {row} numbers in blocks of {numbers}");
                    return Err(damaged(&name, &reason));
                }
                count.and_then(|count| (count / numbers).checked_mul(size))
            }
        };
        let shape: Option<Vec<usize>> =
            sides.iter().rev().map(|side| usize::try_from(*side).ok()).collect();
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
        let (Some(_), Some(bytes), Some(shape)) = (count, bytes, shape) else {
            return Err(damaged(&name, &format!("has the shape {sides:?}, which is too large")));
        };
        if !start.is_multiple_of(alignment) {
            let reason = format!("has the offset {start}, not a multiple of {alignment}");
            return Err(damaged(&name, &reason));
        }
        Ok((name, GgufTensor { shape, kind, start, bytes }))
    }

    /// A number, boolean or text.
    fn value(&mut self, kind: u32, field: &str) -> Result<Value, GgufError> {
        Ok(match kind {
            0 => Value::from(u8::from_le_bytes(self.array(field)?)),
            1 => Value::from(i8::from_le_bytes(self.array(field)?)),
            2 => Value::from(u16::from_le_bytes(self.array(field)?)),
            3 => Value::from(i16::from_le_bytes(self.array(field)?)),
            4 => Value::from(u32::from_le_bytes(self.array(field)?)),
            INTEGER => Value::from(i32::from_le_bytes(self.array(field)?)),
            // The shortest decimal number that is the same f32.
            6 => float(f32::from_le_bytes(self.array(field)?).to_string().parse().ok()),
            BOOLEAN => Value::from(self.array::<1>(field)? != [0]),
            TEXT => Value::from(self.text(field, MAX_TEXT)?),
            10 => Value::from(u64::from_le_bytes(self.array(field)?)),
            11 => Value::from(i64::from_le_bytes(self.array(field)?)),
            12 => float(Some(f64::from_le_bytes(self.array(field)?))),
            kind => return Err(unknown_type(kind, field)),
        })
    }

    fn text(&mut self, field: &str, longest: u64) -> Result<String, GgufError> {
        let length = self.u64(field)?;
        self.advance(length, field)?;
        if length > longest {
            let (field, reason) = (field.to_owned(), format!("has {length} bytes"));
            return Err(GgufError::Damaged { field, reason });
        }
        let mut text = Vec::new();
        let read = self.file.by_ref().take(length).read_to_end(&mut text);
        if read.is_err() || text.len() as u64 != length {
            return Err(GgufError::CutOffHeader { field: field.to_owned() });
        }
        String::from_utf8(text).map_err(|_| GgufError::Damaged {
            field: field.to_owned(),
            reason: "is not UTF-8".to_owned(),
        })
    }

    fn array<const N: usize>(&mut self, field: &str) -> Result<[u8; N], GgufError> {
        self.advance(N as u64, field)?;
        let mut bytes = [0; N];
        let read = self.file.read_exact(&mut bytes);
        read.map_err(|_| GgufError::CutOffHeader { field: field.to_owned() })?;
        Ok(bytes)
    }

    fn skip(&mut self, count: u64, field: &str) -> Result<(), GgufError> {
        self.advance(count, field)?;
        match io::copy(&mut self.file.by_ref().take(count), &mut io::sink()) {
            Ok(skipped) if skipped == count => Ok(()),
            _ => Err(GgufError::CutOffHeader { field: field.to_owned() }),
        }
    }

    /// Counts the next bytes, and checks that the header and the file may have them.
    fn advance(&mut self, count: u64, field: &str) -> Result<(), GgufError> {
        let end = self.position.saturating_add(count);
        if end > self.bytes {
            return Err(GgufError::CutOffHeader { field: field.to_owned() });
        }
        if end > MAX_HEADER_BYTES {
            return Err(GgufError::HeaderTooLong { field: field.to_owned() });
        }
        self.position = end;
        Ok(())
    }
}

/// The size of a number of a type of metadata. `None` if it is not a type of numbers.
fn size(kind: u32) -> Option<usize> {
    NUMBERS.iter().find(|(id, _)| *id == kind).map(|(_, size)| *size)
}

/// A number that is finite.
fn float(number: Option<f64>) -> Value {
    number.and_then(Number::from_f64).map_or(Value::Null, Value::Number)
}

fn unknown_type(kind: u32, field: &str) -> GgufError {
    let reason = format!("has the type {kind}, which the format does not have");
    GgufError::Damaged { field: field.to_owned(), reason }
}
