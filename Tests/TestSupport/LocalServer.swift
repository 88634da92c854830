import Foundation
import Synchronization

/// A server on this machine that answers each request as a test says.
package final class LocalServer: Sendable {
  package struct Request: Sendable {
    package let path: String
    /// By names in lower case.
    package let headers: [String: String]
    package let body: Data
  }

  package enum Action: Sendable {
    case answer(status: Int, headers: [String: String] = [:], body: String)
    /// Closes the connection without a word.
    case drop
    /// Closes it in the middle of the answer.
    case cut(body: String)
    /// Answers after a while.
    case late(seconds: Double, body: String)
  }

  package let port: UInt16
  private let listener: Int32
  private let received = Mutex<[Request]>([])

  package var requests: [Request] { received.withLock { $0 } }

  /// - Parameter action: given the request and how many came before it.
  package init(_ action: @escaping @Sendable (Request, Int) -> Action) throws {
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
        bind(listener, raw, size) == 0 && listen(listener, 16) == 0 && getsockname(listener, raw, &size) == 0
      }
    }
    guard isBound else { throw POSIXError(.EADDRNOTAVAIL) }
    port = UInt16(bigEndian: address.sin_port)
    Thread.detachNewThread { [self] in
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return }
        Thread.detachNewThread { self.serve(connection, action) }
      }
    }
  }

  package func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

  private func serve(_ connection: Int32, _ action: (Request, Int) -> Action) {
    defer { close(connection) }
    guard let request = Self.read(connection) else { return }
    let before = received.withLock { requests in
      requests.append(request)
      return requests.count - 1
    }
    switch action(request, before) {
    case .answer(let status, let headers, let body): Self.write(connection, status, headers, body)
    case .drop: break
    case .cut(let body): Self.write(connection, 200, ["Content-Length": "\(body.utf8.count + 100)"], body)
    case .late(let seconds, let body):
      Thread.sleep(forTimeInterval: seconds)
      Self.write(connection, 200, [:], body)
    }
  }

  private static func read(_ connection: Int32) -> Request? {
    var bytes = Data()
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    var head: Range<Data.Index>?
    var length = 0
    while true {
      if head == nil, let end = bytes.range(of: Data("\r\n\r\n".utf8)) {
        head = end
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).lowercased()
        length = lines.firstMatch(of: /content-length: *(\d+)/).flatMap { Int($0.1) } ?? 0
        // URLSession asks first before it sends a long body.
        if lines.contains("expect: 100-continue") { send(connection, "HTTP/1.1 100 Continue\r\n\r\n") }
      }
      if let head, bytes.count - head.upperBound >= length { break }
      let count = recv(connection, &chunk, chunk.count, 0)
      guard count > 0 else { return nil }
      bytes.append(contentsOf: chunk[..<count])
    }
    guard let head else { return nil }
    var lines = String(decoding: bytes[..<head.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
    let path = lines.removeFirst().split(separator: " ").dropFirst().first.map(String.init) ?? ""
    var headers: [String: String] = [:]
    for line in lines {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2 { headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces) }
    }
    return Request(path: path, headers: headers, body: bytes[head.upperBound...])
  }

  private static func write(_ connection: Int32, _ status: Int, _ headers: [String: String], _ body: String) {
    let all = ["Content-Length": "\(body.utf8.count)", "Connection": "close"].merging(headers) { $1 }
    send(
      connection,
      "HTTP/1.1 \(status) Test\r\n" + all.map { "\($0.key): \($0.value)\r\n" }.sorted().joined() + "\r\n" + body)
  }

  private static func send(_ connection: Int32, _ text: String) {
    let bytes = Array(text.utf8)
    _ = bytes.withUnsafeBytes { Foundation.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
  }
}
