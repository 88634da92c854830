import Foundation
import FoundationNetworking
import Runtime
import Synchronization

/// What goes over the net for one question.
package struct HTTPRequest: Sendable {
  package let url: URL
  package let headers: [String: String]
  package let body: Data
  /// Seconds.
  package let timeout: Double
}

package struct HTTPResponse: Sendable {
  package let status: Int
  /// By names in lower case.
  package let headers: [String: String]
  package let body: Data

  package init(status: Int, headers: [String: String] = [:], body: Data) {
    self.status = status
    self.headers = headers
    self.body = body
  }
}

/// A request without an answer: the connection broke, or nothing came in time.
package struct TransportFailure: Error, Equatable {
  package let reason: String
}

/// Sends requests; tests have their own.
package protocol HTTPTransport: Sendable {
  /// Throws `TransportFailure`, or `Interrupted` when the user stops the run.
  func send(_ request: HTTPRequest) throws -> HTTPResponse
}

/// Sends requests with Foundation's URLSession, without cookies, caches or redirects: a key must not follow a redirect to
/// another host.
package final class SystemTransport: HTTPTransport {
  private let session: URLSession

  /// Most bytes of an answer that are kept.
  private static let mostBytes = 16 << 20

  package init() {
    let configuration = URLSessionConfiguration.ephemeral
    configuration.httpCookieStorage = nil
    configuration.urlCache = nil
    session = URLSession(configuration: configuration, delegate: NoRedirects(), delegateQueue: nil)
  }

  deinit { session.invalidateAndCancel() }

  package func send(_ request: HTTPRequest) throws -> HTTPResponse {
    var message = URLRequest(url: request.url, timeoutInterval: request.timeout)
    message.httpMethod = "POST"
    message.httpBody = request.body
    for (name, value) in request.headers { message.setValue(value, forHTTPHeaderField: name) }
    let done = DispatchSemaphore(value: 0)
    let outcome = Outcome()
    let task = session.dataTask(with: message) { data, response, error in
      outcome.set(Self.outcome(data, response, error))
      done.signal()
    }
    task.resume()
    let end = Date(timeIntervalSinceNow: request.timeout)
    // Looks now and then whether the user wants to stop; Foundation keeps to the time only while nothing arrives.
    while done.wait(timeout: .now() + 0.1) == .timedOut {
      if Interruption.isRequested || Date() > end { task.cancel() }
      try Interruption.check()
      if Date() > end { throw TransportFailure(reason: "no answer within \(Int(request.timeout)) s") }
    }
    guard let result = outcome.value else { throw TransportFailure(reason: "no answer") }
    return try result.get()
  }

  private static func outcome(
    _ data: Data?, _ response: URLResponse?, _ error: (any Error)?
  ) -> Result<HTTPResponse, TransportFailure> {
    if let error { return .failure(TransportFailure(reason: error.localizedDescription)) }
    guard let response = response as? HTTPURLResponse, let data, data.count <= mostBytes else {
      return .failure(TransportFailure(reason: "the answer is empty or too long"))
    }
    let headers = response.allHeaderFields.reduce(into: [String: String]()) { headers, field in
      if let name = field.key as? String, let value = field.value as? String { headers[name.lowercased()] = value }
    }
    return .success(HTTPResponse(status: response.statusCode, headers: headers, body: data))
  }
}

/// The outcome of a request, written by the session's queue and read by the caller.
private final class Outcome: Sendable {
  private let state = Mutex<Result<HTTPResponse, TransportFailure>?>(nil)

  var value: Result<HTTPResponse, TransportFailure>? { state.withLock { $0 } }
  func set(_ value: Result<HTTPResponse, TransportFailure>) { state.withLock { $0 = value } }
}

/// Hands redirects back as they are.
private final class NoRedirects: NSObject, URLSessionTaskDelegate {
  func urlSession(
    _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
    newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
  ) {
    completionHandler(nil)
  }
}
