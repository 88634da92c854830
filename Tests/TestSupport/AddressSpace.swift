import Foundation

package struct NoLimitSet: Error {}

/// Limits the address space of this process, for a test that has the process for itself.
///
/// - Parameter bytes: by which it may still grow.
package func limitAddressSpace(growingBy bytes: Int) throws {
  // The first number is its size in pages.
  let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
  guard let pages = fields.first.flatMap({ Int($0) }) else { throw NoLimitSet() }
  var limit = rlimit(rlim_cur: rlim_t(pages * Int(sysconf(Int32(_SC_PAGESIZE))) + bytes), rlim_max: .max)
  guard setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0 else { throw NoLimitSet() }
}
