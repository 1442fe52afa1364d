use hysio_clinical::diagnosecode::{Engine,Query,Patient,catalogue::{self,Inputs,file}};
use std::path::Path;
fn main(){
  let a: Vec<String>=std::env::args().collect();
  if a[1]=="build" { let c=catalogue::build(&Inputs::new(Path::new(&a[2]), a.get(4).map(Path::new))).unwrap(); file::write(&c, Path::new(&a[3])).unwrap(); return; }
  let t=std::time::Instant::now();
  let e=Engine::open(Path::new(&a[1])).unwrap();
  eprintln!("open {:?}",t.elapsed());
  if a[2]=="search" { for q in &a[3..] { let t=std::time::Instant::now(); let r=e.search(Default::default(), q, 10); eprintln!("{q:?} {:?}",t.elapsed()); for c in r { println!("  {} {}",c.code,c.title);} } return; }
  for text in &a[2..] { let t=std::time::Instant::now(); let s=e.suggest(text,&Query{limit:12,..Query::default()}).unwrap(); println!("== {text} {:?}",t.elapsed());
   for s in s { println!("{:.3} {} {} | {:?} {:?}", s.probability,s.code,s.title,s.cautions.iter().map(|c|&c.reason).collect::<Vec<_>>(),s.companion); } }
}
