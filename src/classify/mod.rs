//! Numbers to a score: the forest, and the artefact it is loaded from.
