//! The reviewers' pages, sessions and decisions.

mod browser;
mod decisions;
mod oidc;
mod sessions;

use std::cell::RefCell;
use std::collections::BTreeMap;

use reqwest::blocking::Response;

use crate::support::Service;

/// A browser that keeps cookies and follows no redirects.
pub(crate) struct Browser<'a> {
    pub(crate) service: &'a Service,
    pub(crate) cookies: RefCell<BTreeMap<String, String>>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(service: &'a Service) -> Browser<'a> {
        Browser {
            service,
            cookies: RefCell::default(),
        }
    }

    /// A browser that has logged in with a key.
    pub(crate) fn of(service: &'a Service, key: &str) -> Browser<'a> {
        let browser = Browser::new(service);
        let csrf = csrf(&browser.get("/review/login").text().unwrap());
        let answer = browser.post("/review/login", &[("csrf", &csrf), ("key", key)]);
        assert_eq!(answer.status(), 303, "{}", answer.text().unwrap());
        browser
    }

    pub(crate) fn cookie(&self) -> String {
        let pairs: Vec<String> = self
            .cookies
            .borrow()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.keep(
            self.service
                .request("GET", path)
                .header("cookie", self.cookie())
                .send()
                .unwrap(),
        )
    }

    /// The page at a path, which must exist.
    pub(crate) fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        let (status, text) = (answer.status(), answer.text().unwrap());
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    /// Sends a form as one of the service's pages would.
    pub(crate) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let address = self.service.address.clone();
        self.post_from(
            path,
            fields,
            &[("origin", &address), ("sec-fetch-site", "same-origin")],
        )
    }

    /// Sends a form with these headers.
    pub(crate) fn post_from(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Response {
        let mut request = self
            .service
            .request("POST", path)
            .header("cookie", self.cookie());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = serde_urlencoded::to_string(fields).unwrap();
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        self.keep(request.send().unwrap())
    }

    fn keep(&self, answer: Response) -> Response {
        for set in answer.headers().get_all("set-cookie") {
            let (pair, rest) = set.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if rest.contains("Max-Age=0") {
                self.cookies.borrow_mut().remove(name);
            } else {
                self.cookies
                    .borrow_mut()
                    .insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// The form token of this session.
    pub(crate) fn csrf(&self) -> String {
        csrf(&self.page("/review"))
    }

    /// Decides on a page, and returns the response.
    pub(crate) fn decide(&self, id: &str, fields: &[(&str, &str)]) -> Response {
        // Opens it first, as people do.
        let csrf = csrf(&self.page(&format!("/review/submissions/{id}")));
        let fields: Vec<_> = fields
            .iter()
            .copied()
            .chain([("csrf", csrf.as_str())])
            .collect();
        self.post(&format!("/review/submissions/{id}/decisions"), &fields)
    }
}

/// The token in the first form of a page.
pub(crate) fn csrf(html: &str) -> String {
    between(html, "name=\"csrf\" value=\"", "\"")
}

/// The text between two others.
pub(crate) fn between(text: &str, before: &str, after: &str) -> String {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap().0.to_owned()
}

/// The target of a redirect.
pub(crate) fn location(answer: &Response) -> String {
    answer.headers()["location"].to_str().unwrap().to_owned()
}
