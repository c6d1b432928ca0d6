//! Numbers by their exact value.

use std::str::FromStr;

/// The exact value of a decimal number: digits without leading and trailing zeros, times a power of ten.
#[derive(PartialEq)]
pub(super) struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Returns the value of a JSON number, or `None` if its exponent is beyond `i64`.
    pub(super) fn parse(number: &str) -> Option<Self> {
        let (negative, number) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number),
        };
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let digits = significant.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { negative: false, digits, exponent: 0 });
        }
        let trailing = i64::try_from(significant.len() - digits.len()).ok()?;
        let fraction = i64::try_from(fraction.len()).ok()?;
        let exponent = exponent.parse::<i64>().ok()?.checked_sub(fraction)?.checked_add(trailing)?;
        Some(Self { negative, digits, exponent })
    }

    /// Returns `true` if the number has no fraction.
    fn is_whole(&self) -> bool {
        self.exponent >= 0
    }

    fn to_integer(&self) -> Option<i128> {
        let exponent = u32::try_from(self.exponent).ok()?;
        if self.digits.is_empty() {
            return Some(0);
        }
        // 39 digits and more are beyond `i128`, and so is the power of ten.
        let digits: i128 = self.digits.parse().ok()?;
        let value = digits.checked_mul(10_i128.checked_pow(exponent)?)?;
        Some(if self.negative { -value } else { value })
    }
}

/// Returns the integer that a JSON number equals, whatever its spelling: `1.0` and `1e3` are integers.
///
/// Never rounds: a number with a fraction, however small, or out of the type's range is an error, which names what was
/// found.
pub(super) fn integer<T: FromStr + TryFrom<i128>>(number: &str) -> Result<T, &'static str> {
    if let Ok(value) = number.parse() {
        return Ok(value);
    }
    let Some(decimal) = Decimal::parse(number) else {
        return Err(if number.contains("e-") || number.contains("E-") { "floating point" } else { "integer" });
    };
    match decimal.to_integer().and_then(|value| T::try_from(value).ok()) {
        Some(value) => Ok(value),
        None if decimal.is_whole() => Err("integer"),
        None => Err("floating point"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_exact() {
        let cases: &[(&str, Result<i64, &str>)] = &[
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("-0.0", Ok(0)),
            ("0e99999999999999999999", Ok(0)),
            ("0.000e-99999999999999999999", Ok(0)),
            ("1.0", Ok(1)),
            ("1e3", Ok(1000)),
            ("1E+3", Ok(1000)),
            ("-1.50e1", Ok(-15)),
            ("1000e-3", Ok(1)),
            ("9007199254740993.0", Ok(9_007_199_254_740_993)),
            ("9007199254740993", Ok(9_007_199_254_740_993)),
            ("9223372036854775807", Ok(i64::MAX)),
            ("9223372036854775807.000", Ok(i64::MAX)),
            ("922337203685477580.7e1", Ok(i64::MAX)),
            ("-9223372036854775808", Ok(i64::MIN)),
            ("-9223372036854775808.0", Ok(i64::MIN)),
            ("9223372036854775808", Err("integer")),
            ("9223372036854775808.0", Err("integer")),
            ("-9223372036854775809", Err("integer")),
            ("1e19", Err("integer")),
            ("1e400", Err("integer")),
            ("1e99999999999999999999", Err("integer")),
            ("123456789012345678901234567890123456789012345678901234567890", Err("integer")),
            ("1.5", Err("floating point")),
            ("1e-400", Err("floating point")),
            ("1e-99999999999999999999", Err("floating point")),
            ("1.0000000000000000001", Err("floating point")),
            ("9007199254740993.5", Err("floating point")),
            ("15e-1", Err("floating point")),
        ];
        for (number, expected) in cases {
            assert_eq!(integer(number), *expected, "{number}");
        }
    }
}
