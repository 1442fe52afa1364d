use std::{fs::File, io::BufReader, time::Instant};
use hysio_scaling::{forecast::*, forecast::backtest::*, series::*, trace};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let file = &args[1];
    let step: Step = args[2].parse().unwrap();
    let window: Step = args[3].parse().unwrap();
    let horizon: Step = args[4].parse().unwrap();
    let origins: usize = args[5].parse().unwrap();
    let t = trace::read(file, BufReader::new(File::open(file).unwrap()), &trace::Options::default()).unwrap();
    let s = t.series.in_steps_of(step);
    println!("{} n={} step={} {:?} {:?}", file, s.len(), s.step(), s.combine(), t.report.notes);
    let w = step.count_in(window.days()); let h = step.count_in(horizon.days());
    let plan = Plan::fit(s.len(), w, h, origins).unwrap();
    println!("{plan:?}");
    for m in Model::ALL {
        let a = Instant::now();
        match backtest(&s, m, plan, Holidays::None) {
            Ok(r) => println!("{:20} wape {:.2} pin {:.3} cov {:.1}  {:.3} ms", m.as_str(), 100.0*r.wape, r.pinball95, 100.0*r.coverage95, a.elapsed().as_secs_f64()*1e3/plan.origins as f64),
            Err(e) => println!("{m}: {e}"),
        }
    }
}
