//! Kubernetes' quantities: `500m`, `50`, `2Gi`, `1e3`.

/// A quantity in thousandths of its unit. What is finer rounds away from zero, as the API does.
///
/// # Errors
/// Why it is no quantity, as a fragment of a sentence.
pub fn parse_milli(text: &str) -> Result<i64, String> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let end = digits
        .find(|one: char| !one.is_ascii_digit() && one != '.')
        .unwrap_or(digits.len());
    let (number, suffix) = digits.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.contains('.') {
        return Err(format!(
            "{text:?} is no quantity such as 500m, 50, 2Gi or 1e3"
        ));
    }
    let scale = Scale::of(suffix).ok_or_else(|| {
        format!("{text:?} has an unknown suffix {suffix:?}: use n, u, m, k, M, G, T, P, E, Ki … Ei or an exponent")
    })?;
    let milli = mantissa(whole, fraction)
        .and_then(|mantissa| scale.apply(mantissa, fraction.len() as i32))
        .ok_or_else(|| format!("{text:?} is too large or too fine"))?;
    Ok(if negative { -milli } else { milli })
}

/// Digits without their point.
fn mantissa(whole: &str, fraction: &str) -> Option<i128> {
    let digits = [whole, fraction].concat();
    match digits.trim_start_matches('0') {
        "" => Some(0),
        digits => digits.parse().ok(),
    }
}

enum Scale {
    /// Powers of ten.
    Decimal(i32),
    /// Powers of 1,024.
    Binary(u32),
}

impl Scale {
    fn of(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "n" => Self::Decimal(-9),
            "u" => Self::Decimal(-6),
            "m" => Self::Decimal(-3),
            "" => Self::Decimal(0),
            "k" => Self::Decimal(3),
            "M" => Self::Decimal(6),
            "G" => Self::Decimal(9),
            "T" => Self::Decimal(12),
            "P" => Self::Decimal(15),
            "E" => Self::Decimal(18),
            "Ki" => Self::Binary(1),
            "Mi" => Self::Binary(2),
            "Gi" => Self::Binary(3),
            "Ti" => Self::Binary(4),
            "Pi" => Self::Binary(5),
            "Ei" => Self::Binary(6),
            exponent => {
                let digits = exponent.strip_prefix(['e', 'E'])?;
                Self::Decimal(
                    digits
                        .parse()
                        .ok()
                        .filter(|power: &i32| power.abs() <= 30)?,
                )
            }
        })
    }

    /// Thousandths of `mantissa ÷ 10^decimals` of this scale.
    fn apply(&self, mantissa: i128, decimals: i32) -> Option<i64> {
        let (factor, power) = match self {
            Self::Decimal(power) => (1, power + 3 - decimals),
            Self::Binary(power) => (1024_i128.checked_pow(*power)?, 3 - decimals),
        };
        let scaled = mantissa.checked_mul(factor)?;
        let ten = 10_i128.checked_pow(power.unsigned_abs())?;
        let milli = if power >= 0 {
            scaled.checked_mul(ten)?
        } else {
            scaled / ten + i128::from(scaled % ten != 0)
        };
        i64::try_from(milli).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_exact_to_a_thousandth_and_finer_ones_round_up() {
        for (text, milli) in [
            ("50", 50_000),
            ("500m", 500),
            ("0.5", 500),
            (".5", 500),
            ("5.", 5_000),
            ("1.0005", 1_001),
            ("100u", 1),
            ("1n", 1),
            ("0n", 0),
            ("2Gi", 2_147_483_648_000),
            ("1.5Ki", 1_536_000),
            ("0.1Ki", 102_400),
            ("1e3", 1_000_000),
            ("1E-3", 1),
            ("2k", 2_000_000),
            ("3M", 3_000_000_000),
            ("-250m", -250),
            ("+7", 7_000),
        ] {
            assert_eq!(parse_milli(text), Ok(milli), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in [
            "", "m", ".", "1.2.3", "5x", "1ki", "1e", "1e99", "1 Gi", "--1", "0x10", "12E",
        ] {
            assert!(parse_milli(text).is_err(), "{text:?}");
        }
    }
}
