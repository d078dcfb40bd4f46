//! Inserting many rows.
//!
//! SQLite opens and closes the table and each of its indexes for every statement, which takes longer than to compute what
//! goes into them. So many rows go into one statement. In it, what all of them have in common is bound once.

use super::{Connection, Dialect, Entity, Value};
use crate::error::Result;

/// So many rows are inserted together.
pub(super) const ROWS: usize = 128;

/// The rows after which it pays to prepare a statement for many.
const FEW: usize = 2 * ROWS;

/// An insertion of many rows, [`ROWS`] at a time.
pub(super) struct Insertion {
    table: &'static str,
    /// The places of the stored fields.
    stored: Vec<usize>,
    columns: Vec<Column>,
    /// How many rows there were.
    rows: usize,
    one: String,
    /// Empty until it is needed.
    many: String,
}

/// What is known of a column from the rows until now.
struct Column {
    name: &'static str,
    /// Its rows refer to others. If one refers to a later one, that counts only when it is a statement of its own.
    refers: bool,
    /// Whether any row has something in it. A column that is not named need not be bound.
    said: bool,
    /// Whether rows that were inserted together differ in it.
    differs: bool,
}

impl Insertion {
    pub(super) fn new<E: Entity>() -> Self {
        let stored: Vec<usize> = (0..E::FIELDS.len()).filter(|place| E::is_stored(E::FIELDS[*place].name)).collect();
        let column = |place: &usize| {
            let name = E::FIELDS[*place].name;
            Column { name, refers: E::REFERENCES.contains(&name), said: false, differs: false }
        };
        let columns = stored.iter().map(column).collect();
        Insertion { table: E::TABLE, stored, columns, rows: 0, one: String::new(), many: String::new() }
    }

    /// Inserts these; `false` when an id or another unique value was taken, and then some may be there and some not.
    pub(super) fn rows<E: Entity, R: AsRef<E>>(&mut self, connection: &dyn Connection, rows: &[R]) -> Result<bool> {
        let mut values = Vec::with_capacity(rows.len() * self.stored.len());
        values.extend(rows.iter().flat_map(|row| self.stored.iter().map(|place| row.as_ref().value(*place))));
        self.run(connection, values)
    }

    /// Inserts rows whose values follow one another.
    fn run(&mut self, connection: &dyn Connection, values: Vec<Value<'_>>) -> Result<bool> {
        let rows = values.len() / self.columns.len();
        self.look(&values);
        self.rows += rows;
        let together = rows == ROWS
            && self.rows > FEW
            && connection.dialect() == Dialect::Sqlite
            && !self.columns.iter().any(|column| column.said && column.refers);
        if together {
            if self.many.is_empty() {
                self.many = self.many();
            }
            let values = self.together(values);
            return Ok(connection.execute(&self.many, &values)? == ROWS as u64);
        }
        let width = self.named().count();
        let mut column = self.columns.iter().cycle();
        let values: Vec<_> = values.into_iter().filter(|_| column.next().is_some_and(|column| column.said)).collect();
        Ok(connection.execute_each(&self.one, width, &values)? == rows)
    }

    fn named(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.said)
    }

    /// Learns from the values which columns are named and which differ; what was so once stays so, so that the statements
    /// change seldom.
    fn look(&mut self, values: &[Value<'_>]) {
        let width = self.columns.len();
        let mut changed = false;
        for (at, column) in self.columns.iter_mut().enumerate() {
            let mut all = values.iter().skip(at).step_by(width);
            if !column.said && all.clone().any(|value| *value != Value::Null) {
                (column.said, changed) = (true, true);
            }
            let first = all.next();
            if column.said && !column.differs && all.any(|value| Some(value) != first) {
                (column.differs, changed) = (true, true);
            }
        }
        if changed {
            self.one = self.one();
            self.many.clear();
        }
    }

    /// The values for the statement for many: first those that all rows have in common.
    fn together<'v>(&self, mut values: Vec<Value<'v>>) -> Vec<Value<'v>> {
        let width = self.columns.len();
        let mut ordered = Vec::with_capacity(values.len());
        let mut take = |at: usize| std::mem::replace(&mut values[at], Value::Null);
        let places = |differs: bool| {
            let columns = self.columns.iter().enumerate();
            columns.filter(move |(_, column)| column.said && column.differs == differs).map(|(at, _)| at)
        };
        ordered.extend(places(false).map(&mut take));
        for row in 0..ROWS {
            ordered.extend(places(true).map(|at| take(row * width + at)));
        }
        ordered
    }

    /// The statement for one row.
    fn one(&self) -> String {
        let names = list(self.named().map(|column| column.name.to_owned()));
        let places = list((1..=self.named().count()).map(|place| format!("?{place}")));
        format!("INSERT INTO {} ({names}) VALUES ({places}) ON CONFLICT DO NOTHING", self.table)
    }

    /// The statement for [`ROWS`] of them.
    fn many(&self) -> String {
        let names = list(self.named().map(|column| column.name.to_owned()));
        let (mut common, mut differing) = (0, 0);
        let selected = list(self.named().map(|column| {
            let (what, count) = if column.differs { ("column", &mut differing) } else { ("?", &mut common) };
            *count += 1;
            format!("{what}{count}")
        }));
        let row = |row: usize| {
            let first = common + row * differing;
            format!("({})", list((first + 1..=first + differing).map(|place| format!("?{place}"))))
        };
        let rows = list((0..ROWS).map(row));
        // Without a condition ON would belong to the SELECT.
        format!(
            "INSERT INTO {} ({names}) SELECT {selected} FROM (VALUES {rows}) WHERE true ON CONFLICT DO NOTHING",
            self.table
        )
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
