pub mod standalone;
