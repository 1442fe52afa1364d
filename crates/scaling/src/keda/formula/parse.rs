//! Text to nodes, by operator precedence.

use super::{Node, Operator, eval::Value};

/// Nested deeper than this is nobody's formula.
const DEEPEST: usize = 50;

const PREDICATES: [&str; 8] = ["count", "all", "any", "none", "one", "filter", "map", "sum"];
const FUNCTIONS: [&str; 12] = [
    "abs", "ceil", "floor", "round", "int", "float", "min", "max", "mean", "median", "len", "sum",
];

pub fn parse(text: &str) -> Result<Node, String> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
        depth: 0,
        in_predicate: false,
    };
    let node = parser.expression(0)?;
    match parser.peek() {
        None => Ok(node),
        Some(token) => Err(format!("{token:?} is too much")),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Int(i64),
    Float(f64),
    Word(String),
    Sign(&'static str),
}

/// Longer signs come first.
const SIGNS: [&str; 27] = [
    "**", "==", "!=", "<=", ">=", "&&", "||", "??", "+", "-", "*", "/", "%", "^", "<", ">", "!",
    "?", ":", "(", ")", "[", "]", "{", "}", ",", "#",
];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_ascii_digit() || first == '.' {
            let length = number_length(rest);
            tokens.push(number(&rest[..length])?);
            length
        } else if first.is_alphabetic() || first == '_' {
            let length = rest
                .find(|one: char| !one.is_alphanumeric() && one != '_')
                .unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..length].to_owned()));
            length
        } else {
            let sign = SIGNS
                .iter()
                .find(|sign| rest.starts_with(**sign))
                .ok_or_else(|| format!("{first:?} is not understood"))?;
            tokens.push(Token::Sign(sign));
            sign.len()
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// Digits, a point, an exponent.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut length = 0;
    while let Some(byte) = bytes.get(length) {
        let is_exponent_sign =
            matches!(byte, b'+' | b'-') && matches!(bytes[length - 1], b'e' | b'E');
        if !(byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'e' | b'E') || is_exponent_sign)
        {
            break;
        }
        length += 1;
    }
    length
}

fn number(text: &str) -> Result<Token, String> {
    let digits = text.replace('_', "");
    let token = if digits.contains(['.', 'e', 'E']) {
        digits.parse().ok().map(Token::Float)
    } else {
        digits.parse().ok().map(Token::Int)
    };
    token.ok_or_else(|| format!("{text} is no number"))
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
    in_predicate: bool,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self, sign: &'static str) -> bool {
        let is_there = self.peek() == Some(&Token::Sign(sign));
        self.next += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), String> {
        if self.take(sign) {
            return Ok(());
        }
        Err(match self.peek() {
            None => format!("{sign} is missing at the end"),
            Some(token) => format!("{sign} is missing before {token:?}"),
        })
    }

    /// Everything that binds at least as close as `least`; a choice only where anything goes.
    fn expression(&mut self, least: u32) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("it is nested too deep".to_owned());
        }
        let mut left = self.operand()?;
        while let Some((operator, precedence)) = self.operator().filter(|(_, own)| *own >= least) {
            self.next += 1;
            let right_associative = operator == Operator::Power;
            let right = self.expression(precedence + u32::from(!right_associative))?;
            left = Node::Binary(operator, Box::new(left), Box::new(right));
        }
        if least == 0 && self.take("?") {
            let yes = self.expression(0)?;
            self.expect(":")?;
            let no = self.expression(0)?;
            left = Node::Choice(Box::new([left, yes, no]));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operator(&self) -> Option<(Operator, u32)> {
        Some(match self.peek()? {
            Token::Sign("||") => (Operator::Or, 10),
            Token::Sign("&&") => (Operator::And, 15),
            Token::Word(word) if word == "or" => (Operator::Or, 10),
            Token::Word(word) if word == "and" => (Operator::And, 15),
            Token::Sign("==") => (Operator::Equal, 20),
            Token::Sign("!=") => (Operator::Unequal, 20),
            Token::Sign("<") => (Operator::Less, 20),
            Token::Sign("<=") => (Operator::LessOrEqual, 20),
            Token::Sign(">") => (Operator::Greater, 20),
            Token::Sign(">=") => (Operator::GreaterOrEqual, 20),
            Token::Sign("+") => (Operator::Add, 30),
            Token::Sign("-") => (Operator::Subtract, 30),
            Token::Sign("*") => (Operator::Multiply, 60),
            Token::Sign("/") => (Operator::Divide, 60),
            Token::Sign("%") => (Operator::Remainder, 60),
            Token::Sign("**" | "^") => (Operator::Power, 100),
            Token::Sign("??") => (Operator::OrElse, 500),
            _ => return None,
        })
    }

    fn operand(&mut self) -> Result<Node, String> {
        let token = self
            .peek()
            .cloned()
            .ok_or("something is missing at the end")?;
        self.next += 1;
        let node = match token {
            Token::Int(value) => Node::Literal(Value::Int(value)),
            Token::Float(value) => Node::Literal(Value::Float(value)),
            Token::Sign("-") => return Ok(Node::Negate(Box::new(self.expression(90)?))),
            Token::Sign("+") => return self.expression(90),
            Token::Sign("!") => return Ok(Node::Not(Box::new(self.expression(50)?))),
            Token::Sign("(") => {
                let node = self.expression(0)?;
                self.expect(")")?;
                node
            }
            Token::Sign("[") => Node::Array(self.list("]")?),
            Token::Sign("#") if self.in_predicate => Node::Element,
            Token::Word(word) => match word.as_str() {
                "not" => return Ok(Node::Not(Box::new(self.expression(50)?))),
                "nil" => Node::Literal(Value::Nil),
                "true" => Node::Literal(Value::Bool(true)),
                "false" => Node::Literal(Value::Bool(false)),
                _ if self.take("(") => self.call(word)?,
                _ => Node::Name(word),
            },
            other @ Token::Sign(_) => return Err(format!("{other:?} is out of place")),
        };
        self.indexed(node)
    }

    fn indexed(&mut self, mut node: Node) -> Result<Node, String> {
        while self.take("[") {
            let index = self.expression(0)?;
            self.expect("]")?;
            node = Node::Index(Box::new(node), Box::new(index));
        }
        Ok(node)
    }

    fn list(&mut self, end: &'static str) -> Result<Vec<Node>, String> {
        let mut nodes = Vec::new();
        while !self.take(end) {
            if !nodes.is_empty() {
                self.expect(",")?;
            }
            nodes.push(self.expression(0)?);
        }
        Ok(nodes)
    }

    /// A predicate stands in braces, or bare.
    fn call(&mut self, function: String) -> Result<Node, String> {
        if !PREDICATES.contains(&function.as_str()) {
            if !FUNCTIONS.contains(&function.as_str()) {
                return Err(format!("unknown function {function}"));
            }
            let arguments = self.list(")")?;
            return Ok(Node::Call {
                function,
                arguments,
                predicate: None,
            });
        }
        let arguments = vec![self.expression(0)?];
        let mut predicate = None;
        if self.take(",") {
            let outer = std::mem::replace(&mut self.in_predicate, true);
            let braced = self.take("{");
            predicate = Some(Box::new(self.expression(0)?));
            if braced {
                self.expect("}")?;
            }
            self.in_predicate = outer;
        }
        self.expect(")")?;
        Ok(Node::Call {
            function,
            arguments,
            predicate,
        })
    }
}
