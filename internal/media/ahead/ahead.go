// Package ahead asks the processor for memory that is read a little later, so
// that it has come from the slow end of the caches by then. To ask costs a few
// instructions and changes nothing else: any address will do.
package ahead
