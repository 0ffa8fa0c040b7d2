//! Which HTTP requests are let in.
//!
//! Whoever reaches the gateway spends its payer's OPEN, and so may every web page in a browser on this
//! machine: by sending a form that needs nobody's leave, or by a name that suddenly means this machine.
//! Browsers give such pages away by the content type, by `Origin` and by `Host`.

use super::error::GatewayError;
use axum::{
	extract::Request,
	http::{header, uri::Authority, HeaderValue, Method, Uri},
	middleware::{self, Next},
	Router,
};
use std::net::IpAddr;

/// `router` without what comes from foreign web pages; `listen` is the address it is served on.
pub fn guarded(router: Router, listen: IpAddr) -> Router {
	router.layer(middleware::from_fn(
		move |request: Request, next: Next| async move {
			admit(&request, listen)?;
			Ok::<_, GatewayError>(next.run(request).await)
		},
	))
}

fn admit(request: &Request, listen: IpAddr) -> Result<(), GatewayError> {
	let headers = request.headers();
	let mut hosts = headers.get_all(header::HOST).iter().peekable();
	// HTTP/2 has the host in the address.
	let known = match hosts.peek() {
		Some(_) => hosts.all(|host| authority(host).is_some_and(|host| is_address(&host))),
		None => request.uri().authority().is_some_and(is_address),
	};
	if !known {
		return Err(GatewayError::new(
			403,
			"foreign-host",
			"This gateway answers only to IP addresses and localhost, so that no web page can reach \
			 it by a name of its own. Ask it by its IP address.",
		));
	}
	let mut origins = headers.get_all(header::ORIGIN).iter();
	if !origins.all(|origin| is_own(origin, listen)) {
		return Err(GatewayError::new(
			403,
			"foreign-origin",
			"Web pages of other machines may not spend this gateway's OPEN. Ask from a program, or \
			 from a page on localhost.",
		));
	}
	if request.method() == Method::POST && !is_json(headers.get(header::CONTENT_TYPE)) {
		return Err(GatewayError::new(
			415,
			"unsupported-media-type",
			"Send the request with the header `content-type: application/json`.",
		));
	}
	Ok(())
}

fn authority(value: &HeaderValue) -> Option<Authority> {
	Authority::try_from(value.as_bytes()).ok()
}

fn ip(authority: &Authority) -> Option<IpAddr> {
	let host = authority.host();
	host.trim_start_matches('[')
		.trim_end_matches(']')
		.parse()
		.ok()
}

fn is_localhost(authority: &Authority) -> bool {
	authority.host().eq_ignore_ascii_case("localhost")
}

fn is_address(authority: &Authority) -> bool {
	is_localhost(authority) || ip(authority).is_some()
}

/// Whether a page of this origin is one of this machine's.
fn is_own(origin: &HeaderValue, listen: IpAddr) -> bool {
	let origin = Uri::try_from(origin.as_bytes()).ok();
	let authority = origin
		.as_ref()
		.filter(|origin| origin.scheme().is_some())
		.and_then(Uri::authority);
	authority.is_some_and(|authority| {
		let here = |ip: IpAddr| ip.is_loopback() || (ip == listen && !ip.is_unspecified());
		is_localhost(authority) || ip(authority).is_some_and(here)
	})
}

fn is_json(kind: Option<&HeaderValue>) -> bool {
	let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
	let essence = kind.split(';').next().unwrap_or_default();
	essence.trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
	use super::*;
	use axum::routing::{get, post};

	const PATH: &str = "/v1/chat/completions";
	const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

	/// Status and code of what a gateway listening on 192.168.1.5 says to each request.
	async fn answers(requests: &[&[(&str, &str)]], method: Method) -> Vec<(u16, String)> {
		let router = Router::new()
			.route(PATH, post(|| async { "{\"error\":{\"code\":\"spent\"}}" }))
			.route(
				"/health",
				get(|| async { "{\"error\":{\"code\":\"told\"}}" }),
			);
		let router = guarded(router, [192, 168, 1, 5].into());
		let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
		let address = listener.local_addr().unwrap();
		tokio::spawn(async move { axum::serve(listener, router).await });
		let path = if method == Method::POST {
			PATH
		} else {
			"/health"
		};
		let mut answers = Vec::new();
		for headers in requests {
			let mut request =
				reqwest::Client::new().request(method.clone(), format!("http://{address}{path}"));
			for (name, value) in *headers {
				request = request.header(*name, *value);
			}
			let response = request.body("{}").send().await.unwrap();
			let status = response.status().as_u16();
			let body: serde_json::Value = response.json().await.unwrap();
			answers.push((status, body["error"]["code"].as_str().unwrap().to_owned()));
		}
		answers
	}

	fn all(answers: &[(u16, String)], status: u16, code: &str) -> bool {
		let expected = (status, code.to_owned());
		answers.iter().all(|answer| *answer == expected)
	}

	#[tokio::test]
	async fn programs_and_local_pages_should_be_answered() {
		let answers = answers(
			&[
				&[JSON],
				&[JSON, ("host", "localhost:8787")],
				&[JSON, ("host", "[::1]:8787")],
				&[JSON, ("host", "192.168.1.5:8787")],
				&[JSON, ("origin", "http://localhost:3000")],
				&[JSON, ("origin", "http://127.0.0.1")],
				&[JSON, ("origin", "https://[::1]:3000")],
				&[JSON, ("origin", "http://192.168.1.5:8787")],
			],
			Method::POST,
		)
		.await;
		assert!(all(&answers, 200, "spent"), "{answers:?}");
	}

	#[tokio::test]
	async fn what_a_page_may_send_without_leave_should_not_spend() {
		let answers = answers(
			&[
				&[],
				&[("content-type", "text/plain")],
				&[("content-type", "application/x-www-form-urlencoded")],
				&[(
					"content-type",
					"multipart/form-data; boundary=application/json",
				)],
				&[("content-type", "text/plain; application/json")],
			],
			Method::POST,
		)
		.await;
		assert!(all(&answers, 415, "unsupported-media-type"), "{answers:?}");
	}

	#[tokio::test]
	async fn foreign_pages_should_be_refused() {
		let requests: &[&[(&str, &str)]] = &[
			&[JSON, ("origin", "https://evil.example")],
			&[JSON, ("origin", "null")],
			&[JSON, ("origin", "http://localhost.evil.example")],
			&[JSON, ("origin", "http://localhost@evil.example")],
			&[JSON, ("origin", "http://192.168.1.6")],
			&[
				JSON,
				("origin", "http://localhost"),
				("origin", "http://evil.example"),
			],
		];
		for method in [Method::POST, Method::GET] {
			let answers = answers(requests, method).await;
			assert!(all(&answers, 403, "foreign-origin"), "{answers:?}");
		}
	}

	#[tokio::test]
	async fn names_that_were_bound_to_this_machine_should_be_refused() {
		let requests: &[&[(&str, &str)]] = &[
			&[JSON, ("host", "evil.example")],
			&[JSON, ("host", "127.0.0.1.evil.example:8787")],
			&[JSON, ("host", "localhost.evil.example")],
			&[
				JSON,
				("host", "evil.example:8787"),
				("origin", "http://localhost"),
			],
		];
		for method in [Method::POST, Method::GET] {
			let answers = answers(requests, method).await;
			assert!(all(&answers, 403, "foreign-host"), "{answers:?}");
		}
	}
}
