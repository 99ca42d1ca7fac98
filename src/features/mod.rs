//! A window and its context as the numbers the classifier sees.
