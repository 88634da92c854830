/// The version of this program, written into what it makes.
package let programVersion = "0.1.0"
