//! Orders of tables, on made-up data.

use super::super::tally::Reasons;
use super::*;

struct Read {
    parcels: Vec<Parcel>,
    tally: FileTally,
    total: u64,
}

fn read_as(text: &[u8], columns: &[(Field, Vec<String>)], has_decimal_comma: bool) -> Read {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("orders.csv");
    std::fs::write(&path, text).unwrap();
    let writing = Writing { delimiter: None, has_decimal_comma, dates: Orders::ANY };
    let mut source = open(&path, columns, Currency::parse("EUR"), writing, SourceId::of(&path).unwrap()).unwrap();
    let parcels = std::iter::from_fn(|| source.next().unwrap()).collect();
    Read { parcels, tally: source.tally().clone(), total: source.total() }
}

fn read(columns: &str, text: &str) -> Read {
    read_as(text.as_bytes(), &columns::parse(columns).unwrap(), false)
}

fn bodies(read: &Read) -> Vec<String> {
    read.parcels.iter().map(|parcel| String::from_utf8(parcel.body.clone()).unwrap()).collect()
}

fn reasons(reasons: &Reasons) -> Vec<(&str, u64)> {
    reasons.0.iter().map(|(reason, one)| (reason.as_str(), one.count)).collect()
}

const SHOP: &str = "Name,Email,Financial Status,Currency,Subtotal,Shipping,Taxes,Total,Discount Amount,Created at,\
Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Shipping Address1,Shipping City,Shipping Zip,Notes,Id\n";

#[test]
fn a_shops_export_is_read_with_its_charges() {
    let read = read_as(
        format!(
            "{SHOP}#7,a@example.com,paid,ZAR,699.00,85.00,91.17,784.00,0.00,2021-05-13 11:01:12 +0200,1,Cot,699.00,COT-1,\
             \"1 Mill Lane, Unit 12\",Durban,'4001,\"wrap it\n\nthank you\",1\n\
             #8,b@example.com,refunded,ZAR,20,5,2,24.50,2.50,2021-05-14 09:00:00 +0200,1,Sheet,12,,2 Hill Road,,'7950,,2\n\
             #8,b@example.com,,,,,,,,2021-05-14 09:00:00 +0200,2,Pillow,4,P-1,,,,,\n\
             #9,c@example.com,paid,ZAR,10,0,1,99,0,2021-05-14 09:00:00 +0200,1,Sheet,10,S-1,x,,,,3\n"
        )
        .as_bytes(),
        &columns::of_shopify(),
        false,
    );
    assert_eq!((read.parcels.len(), read.total), (2, 3));
    let bodies = bodies(&read);
    assert_eq!(
        bodies[0],
        r#"{"id":"7","currency":"ZAR","items":[{"sku":"COT-1","quantity":1,"price":699.00,"untracked":true}],"price_override":"imported: the price of the day","charges":[{"kind":"shipping","amount":85.00}],"customer":"a@example.com","address":"1 Mill Lane, Unit 12\nDurban\n4001","notes":"wrap it\n\nthank you","placed_at":"2021-05-13T09:01:12.000Z"}"#,
        "the prices hold the tax"
    );
    assert!(
        bodies[1].contains(r#""charges":[{"kind":"discount","amount":-2.50},{"kind":"tax","amount":2.00},{"kind":"shipping","amount":5.00}]"#),
        "the tax is added: {}",
        bodies[1]
    );
    assert!(bodies[1].contains(r#"{"sku":"Sheet","quantity":1"#), "without a SKU it goes by its name: {}", bodies[1]);
    assert_eq!(read.parcels[1].amount.unwrap().to_string(), "24.50");
    assert_eq!(reasons(&read.tally.odd), [("the payment is \"refunded\": it is a sale like the others", 1)]);
    let skipped = reasons(&read.tally.skipped);
    assert!(skipped[0].0.contains("come to 10.00 without and 11.00 with tax, and the file says 99.00"), "{skipped:?}");
}

#[test]
fn columns_have_any_names_and_orders_several_rows() {
    let columns =
        "invoice_no=Nr,sku=Artikel,quantity=Menge,price=Preis,customer=Kunde,address=Strasse+Ort,placed_at=Tag";
    let text = "Nr;Kunde;Strasse;Ort;Tag;Artikel;Menge;Preis\n\
                R/1;anna;Weg 1;Bonn;24.12.2026;Tee;2;1.234,50\n;;;;;Tasse;1;3,5\n\
                R/2;ben;Weg 2;Bonn;24.12.2026;Tee;1,5;1\nR/3;;;;24.12.2026;Tee;1;2\nR/1;anna;;;24.12.2026;Tee;1;2\n";
    let read = read_as(text.as_bytes(), &columns::parse(columns).unwrap(), true);
    assert_eq!((read.parcels.len(), read.total), (2, 4));
    let bodies = bodies(&read);
    assert!(bodies[0].contains(r#""items":[{"sku":"Tee","quantity":2,"price":1234.50,"untracked":true},{"sku":"Tasse","quantity":1,"price":3.50,"untracked":true}]"#), "{}", bodies[0]);
    assert!(
        bodies[0].contains(r#""address":"Weg 1\nBonn","notes":"order R/1","placed_at":"2026-12-24T00:00:00.000Z""#),
        "{}",
        bodies[0]
    );
    assert!(bodies[1].contains(r#""customer":"guest","address":"Unspecified""#), "{}", bodies[1]);
    assert_eq!(read.parcels[0].amount.unwrap().to_string(), "2472.50");
    let skipped = [("quantity is no whole number (line 4)", 1), ("rows of an order that do not stand together", 1)];
    assert_eq!(reasons(&read.tally.skipped), skipped);
}

#[test]
fn orders_without_a_number_are_known_by_their_file() {
    let columns = "sku=sku,quantity=n,price=price";
    let keys = |text: &str| -> Vec<_> {
        read(columns, text).parcels.iter().map(|parcel| parcel.idempotency_key.clone().unwrap()).collect()
    };
    let (monday, tuesday) = ("sku,n,price\ntea,1,2\ntea,1,2\n", "sku,n,price\ntea,1,2\ncup,1,2\n");
    assert_eq!(keys(monday), keys(monday));
    assert_ne!(keys(monday)[0], keys(monday)[1], "two orders alike are two orders");
    assert_ne!(keys(monday)[0], keys(tuesday)[0], "two files are two days");
}

#[test]
fn what_is_wrong_with_columns_is_said() {
    for (given, problem) in
        [("id", "\"id\" is no FIELD=COLUMN"), ("colour=x", "\"colour\" is no field; the fields are id, customer,")]
    {
        let error = columns::parse(given).unwrap_err();
        assert!(error.starts_with(problem), "{error}");
    }
    let header = ["a".to_owned(), "b, c".to_owned()];
    for (given, problem) in [
        ("sku=x", "it has no column \"x\" for sku; it has: a, b, c"),
        ("sku=a", "no column is given for price: add price=COLUMN to --columns; it has: a, b, c"),
        ("price=a", "no column is given for sku"),
    ] {
        let error = Columns::find(&header, &columns::parse(given).unwrap()).unwrap_err();
        assert!(error.starts_with(problem), "{error}");
    }
    assert!(Columns::find(&header, &columns::parse("sku=A,\"price=b, c\"").unwrap()).is_ok());
}
