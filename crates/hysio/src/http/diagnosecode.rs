//! The diagnosecode service (:8081).
